"""Who gets the traffic of a model, as JSON. Optional fields are absent."""

from datetime import UTC, datetime
from typing import Any, Literal

from contract.catalog import RoutePolicy, ServedModel
from contract.command import Reply
from gateway.versions.routing import shares
from gateway.wire.problem import timestamp

Source = Literal["champion", "tag", "temporary", "rollout"]
"""No policy; the registry's lasting one; one that expires; a rollout under way."""


def routing_document(model: ServedModel, now: float) -> dict[str, Any]:
    """The policy in force, and each version's share of what is not pinned."""
    policy = model.routing.in_force(now) if model.routing else None
    return {
        "model": model.name,
        "source": _source(model, policy),
        "etag": model.routing_etag,
        **_policy(policy),
        "shares": {str(number): share for number, share in sorted(shares(model, now).items())},
        "aliases": {alias: str(number) for alias, number in sorted(model.aliases.items())},
        **({"previous_champion": str(model.previous_champion)} if model.previous_champion else {}),
    }


def champion_document(model: str, reply: Reply) -> dict[str, Any]:
    """What a promotion or a rollback came to."""
    moved = {"previous_version": reply.before.get(model), "version": reply.after.get(model)}
    return {
        "model": model,
        "message": reply.message,
        **{name: str(number) for name, number in moved.items() if number is not None},
    }


def _source(model: ServedModel, policy: RoutePolicy | None) -> Source:
    if model.rollout is not None and model.rollout.active:
        return "rollout"
    if policy is None:
        return "champion"
    return "tag" if policy.expires_at is None else "temporary"


def _policy(policy: RoutePolicy | None) -> dict[str, Any]:
    if policy is None:
        return {"weights": {"champion": 100.0}}
    document: dict[str, Any] = {"weights": policy.weights}
    if policy.expires_at is not None:
        document["expires_at"] = moment(policy.expires_at)
        document["then"] = _policy(policy.then)["weights"]
    return document


def moment(at: float) -> str:
    """RFC 3339 of Unix seconds."""
    return timestamp(datetime.fromtimestamp(at, UTC))
