"""A rollout, as JSON. Optional fields are absent."""

from collections.abc import Sequence
from typing import Any

import msgspec

from contract.rollout import Rollout
from gateway.wire.routing_document import moment


def rollout_document(model: str, rollout: Rollout, waits_for: Sequence[str] = ()) -> dict[str, Any]:
    """Its plan and how far it is; `next_step_at` is the earliest that it can go on."""
    running = rollout.phase == "running"
    optional = {
        "step_since": rollout.since if running else None,
        "next_step_at": rollout.since + rollout.plan.every_s if running and not rollout.paused else None,
        "ended_at": rollout.ended_at,
    }
    return {
        "id": rollout.id,
        "model": model,
        "version": str(rollout.version),
        "champion": str(rollout.champion),
        "phase": rollout.phase,
        "paused": rollout.paused,
        "share": rollout.share / 100,
        "step": rollout.step,
        **msgspec.to_builtins(rollout.plan),
        "by": rollout.by,
        "started_at": moment(rollout.started_at),
        **{name: moment(at) for name, at in optional.items() if at is not None},
        **({"waits_for": list(waits_for)} if waits_for else {}),
        **({"reason": rollout.reason} if rollout.reason else {}),
    }
