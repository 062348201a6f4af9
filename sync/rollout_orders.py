"""What people ask of a rollout (pure): to begin, to pause, to go on, to stop."""

from typing import Literal

import msgspec

from contract.rollout import Plan, Rollout

Do = Literal["start", "pause", "resume", "abort"]


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of the command `rollout`; the plan belongs to `start`."""

    do: Do
    plan: Plan = Plan()


def changed(present: Rollout | None, do: Do, by: str, now: float) -> Rollout:
    """The rollout after someone paused, resumed or aborted it. A step that is resumed begins anew.

    Raises:
        ValueError: none is under way, or it is not paused.
    """
    if present is None or not present.active:
        raise ValueError("no rollout is under way")
    match do:
        case "pause":
            return msgspec.structs.replace(present, paused=True)
        case "resume":
            if not present.paused:
                raise ValueError(f"the rollout of version {present.version} is not paused")
            return msgspec.structs.replace(present, paused=False, since=now)
        case _:
            return msgspec.structs.replace(
                present, phase="aborted", paused=False, ended_at=now, reason=f"by {by}"
            )
