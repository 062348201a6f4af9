"""What is said of a command (pure): what it changes, before and after, and what is still to come."""

from datetime import UTC, datetime

from contract.catalog import Catalog, RoutePolicy, ServedModel
from contract.rollout import Rollout
from sync.observation import served_models
from sync.orders import Change, LookAgain, MoveChampion, SetRollout, SetRouting

ALL = {"champion": 100.0}
"""The weights without a policy."""

State = dict[str, int | float | str | None]


def state(change: Change, catalog: Catalog | None, now: float) -> State:
    """What a command changes, as the gateways are told it.

    Champions by model; or the weights in force; or how far a rollout is.
    """
    models = served_models(catalog)
    match change:
        case SetRouting(name, _):
            return dict(weights(models.get(name), now))
        case SetRollout(name, _, _):
            model = models.get(name)
            return _progress(model.rollout) if model and model.rollout else {}
        case _:
            return {
                name: one.aliases["champion"] for name, one in models.items() if "champion" in one.aliases
            }


def weights(model: ServedModel | None, now: float) -> dict[str, float]:
    """The weights in force; the champion's alone without a policy."""
    policy = model.routing.in_force(now) if model and model.routing else None
    return policy.weights if policy else ALL


def asked(action: str, change: Change) -> str:
    """A command in the journal's words."""
    match change:
        case SetRouting(_, None):
            return f"{action}: the champion takes all"
        case SetRouting(_, policy) if policy is not None:
            return f"{action}: {shown(policy)}{_until(policy)}"
        case SetRollout(_, rollout, begins):
            to = "begin" if begins else "pause" if rollout.paused else "resume" if rollout.active else "abort"
            return f"{action}: {to}"
        case _:
            return action


def _until(policy: RoutePolicy) -> str:
    if policy.expires_at is None:
        return ""
    return f" until {datetime.fromtimestamp(policy.expires_at, UTC):%Y-%m-%d %H:%M:%S}Z"


def shown(policy: RoutePolicy | None) -> str:
    """A policy's weights as people write them, the champion's first: `champion=90 candidate=10`."""
    weights = policy.weights if policy else ALL
    order = sorted(weights, key=lambda name: (name != "champion", name))
    return " ".join(f"{name}={weights[name]:g}" for name in order)


def message(change: Change, catalog: Catalog | None) -> str:
    """`done`, or what is still to come."""
    models = served_models(catalog)
    match change:
        case MoveChampion(name, version):
            model = models.get(name)
            if model is None or model.aliases.get("champion") != version:
                return (
                    f"version {version} is the registry's champion now; it takes the traffic once every "
                    "Triton has it ready"
                )
        case SetRollout(_, rollout, True):
            return f"version {rollout.version} gets {rollout.plan.steps[0]:g} % once it is served"
        case LookAgain() | SetRouting() | SetRollout():
            pass
    return "done"


def _progress(rollout: Rollout) -> State:
    return {
        "version": rollout.version,
        "phase": "paused" if rollout.paused else rollout.phase,
        "share": rollout.share,
    }
