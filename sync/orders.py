"""What a command comes to (pure): the change it asks for, or why it cannot be made."""

from dataclasses import dataclass
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from contract.catalog import RoutePolicy, ServedModel
from contract.command import Command, Fault
from contract.rollout import Rollout
from sync import rollout_orders
from sync.desired import (
    CHAMPIONS_TAG,
    ROUTING_TAG,
    RegisteredModel,
    lasting,
    parse_champions,
    parse_routing,
    read_rollout,
    routing_etag,
)
from sync.plan import Key
from sync.quarantine import Refusal

T = TypeVar("T", bound=msgspec.Struct)

MAX_EXPIRES_S = 30 * 86_400
MAX_WEIGHTS = 64
ANY = "*"


class NotPossible(ValueError):
    """A command that cannot be carried out; the message says why."""

    def __init__(self, message: str, fault: Fault = "conflict") -> None:
        super().__init__(message)
        self.fault: Fault = fault


@dataclass(frozen=True, slots=True)
class MoveChampion:
    """Point the alias champion to this version."""

    model: str
    version: int


@dataclass(frozen=True, slots=True)
class SetRouting:
    """Put these weights in force; None: the champion takes all."""

    model: str
    policy: RoutePolicy | None


@dataclass(frozen=True, slots=True)
class SetRollout:
    """Begin a rollout, or change the one under way. `begins`: it takes over from policy and candidate."""

    model: str
    rollout: Rollout
    begins: bool = False


@dataclass(frozen=True, slots=True)
class LookAgain:
    """A pass now."""


Change = MoveChampion | SetRouting | SetRollout | LookAgain


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of `route`. No weights: the champion takes all."""

    weights: Annotated[dict[str, Annotated[float, Meta(ge=0)]], Meta(max_length=MAX_WEIGHTS)] | None = None
    expires_in_s: Annotated[float, Meta(gt=0, le=MAX_EXPIRES_S)] | None = None
    salt: str | None = None
    if_match: tuple[str, ...] = ()


def resolve(
    command: Command,
    registered: dict[str, RegisteredModel],
    served: dict[str, ServedModel],
    refused: dict[Key, Refusal],
    now: float,
) -> Change:
    """Decide what a command means now.

    Raises:
        NotPossible: expired, unknown or refused version, nothing to roll back to, bad weights, …
    """
    if now > command.expires_at:
        raise NotPossible("expired before sync read it", "unavailable")
    if command.action == "reload":
        return LookAgain()
    model = registered.get(command.model or "")
    if model is None:
        raise NotPossible(f"the registry has no model {command.model!r}", "not_found")
    match command.action:
        case "promote":
            version = candidate(model) if command.version is None else command.version
            return _move_champion(model, version, refused)
        case "rollback":
            version = previous_champion(model) if command.version is None else command.version
            return _move_champion(model, version, refused)
        case "route":
            return SetRouting(model.name, _policy(command, model, served.get(model.name), now))
        case "rollout":
            return _rollout(command, model, served.get(model.name), refused, now)


def candidate(model: RegisteredModel) -> int:
    """The version with the alias candidate, unless its rollout failed: whoever wants that one has to name it.

    Raises:
        NotPossible: there is none, or it failed.
    """
    number = model.aliases.get("candidate")
    if number is None:
        raise NotPossible(f"{model.name} has no alias candidate: say which version to promote")
    rollout = read_rollout(model.tags)
    if rollout is not None and (rollout.version, rollout.phase) == (number, "failed"):
        raise NotPossible(
            f"the rollout of {model.name} version {number} failed ({rollout.reason}): name it to promote it"
        )
    return number


def previous_champion(model: RegisteredModel) -> int:
    """The champion before the present one, as long as it is registered.

    Raises:
        NotPossible: there is none.
    """
    present = model.aliases.get("champion")
    for number in parse_champions(model.tags.get(CHAMPIONS_TAG)):
        if number != present and number in model.versions:
            return number
    raise NotPossible(f"{model.name} has no earlier champion to go back to")


def under_way(model: RegisteredModel) -> Rollout | None:
    """The rollout that decides about the model's traffic now."""
    rollout = read_rollout(model.tags)
    return rollout if rollout is not None and rollout.active else None


def check_free(model: RegisteredModel, version: int) -> None:
    """That no rollout of another version is under way.

    Raises:
        NotPossible: one is.
    """
    rollout = under_way(model)
    if rollout is not None and version not in (rollout.version, rollout.champion):
        raise NotPossible(_busy(model, rollout))


def _move_champion(model: RegisteredModel, version: int, refused: dict[Key, Refusal]) -> MoveChampion:
    _registered(model, version, refused)
    check_free(model, version)
    return MoveChampion(model.name, version)


def _registered(model: RegisteredModel, version: int, refused: dict[Key, Refusal]) -> None:
    if version not in model.versions:
        raise NotPossible(f"{model.name} has no version {version}", "not_found")
    refusal = refused.get((model.name, version))
    if refusal is not None:
        raise NotPossible(f"{model.name} version {version} is refused ({refusal.fault}): {refusal.reason}")


def _busy(model: RegisteredModel, rollout: Rollout) -> str:
    return f"a rollout of {model.name} version {rollout.version} is under way: abort it first"


def _policy(
    command: Command, model: RegisteredModel, served: ServedModel | None, now: float
) -> RoutePolicy | None:
    """The policy that the command's arguments describe; what it is to give way to, when it expires."""
    asked = _arguments(command, Weights)
    present = routing_etag(model.tags, read_rollout(model.tags))
    if asked.if_match and ANY not in asked.if_match and present not in asked.if_match:
        named = ", ".join(f'"{one}"' for one in asked.if_match)
        raise NotPossible(f'If-Match names {named}; the policy now is "{present}"', "precondition")
    if (rollout := under_way(model)) is not None:
        raise NotPossible(_busy(model, rollout))
    if asked.weights is None:
        return None
    before = _readable(model.tags.get(ROUTING_TAG))
    _check_names(asked.weights, served)
    return RoutePolicy(
        weights=asked.weights,
        expires_at=None if asked.expires_in_s is None else now + asked.expires_in_s,
        salt=asked.salt if asked.salt is not None else before.salt if before else "",
        then=None if asked.expires_in_s is None else lasting(before),
    )


def _readable(tag: str | None) -> RoutePolicy | None:
    try:
        return parse_routing(tag) if tag else None
    except ValueError:
        return None


def _check_names(weights: dict[str, float], served: ServedModel | None) -> None:
    if not any(weight > 0 for weight in weights.values()):
        raise NotPossible("weights: at least one must be positive", "invalid")
    aliases = sorted(served.aliases) if served else []
    numbers = [str(one.version) for one in served.versions] if served else []
    for name, weight in weights.items():
        if name == "shadow" and weight > 0:
            raise NotPossible("weights: the alias shadow never answers; name its version", "invalid")
        if name not in aliases and name not in numbers:
            known = ", ".join([*aliases, *numbers]) or "nothing"
            raise NotPossible(
                f"weights: {name!r} is neither an alias nor a version that is served; served: {known}",
                "invalid",
            )


def _rollout(
    command: Command,
    model: RegisteredModel,
    served: ServedModel | None,
    refused: dict[Key, Refusal],
    now: float,
) -> SetRollout:
    asked = _arguments(command, rollout_orders.Asked)
    present = read_rollout(model.tags)
    if asked.do != "start":
        try:
            return SetRollout(model.name, rollout_orders.changed(present, asked.do, command.by, now))
        except ValueError as error:
            raise NotPossible(f"{model.name}: {error}") from error
    if present is not None and present.id == command.id:
        return SetRollout(model.name, present, begins=True)  # it came again after a kill
    if (running := under_way(model)) is not None:
        raise NotPossible(_busy(model, running))
    if command.version is None:
        raise NotPossible("version: say which version is to be rolled out", "invalid")
    version = command.version
    _registered(model, version, refused)
    champion = served.aliases.get("champion") if served else None
    if champion is None or model.aliases.get("champion") != champion:
        raise NotPossible(
            f"the alias champion of {model.name} leads to nothing that is served: promote first"
        )
    if champion == version:
        raise NotPossible(f"{model.name} version {version} is the champion already")
    before = _readable(model.tags.get(ROUTING_TAG))
    begun = Rollout(
        id=command.id,
        version=version,
        champion=champion,
        plan=asked.plan,
        by=command.by,
        started_at=now,
        salt=before.salt if before else "",
    )
    return SetRollout(model.name, begun, begins=True)


def _arguments(command: Command, kind: type[T]) -> T:
    raw = {name: msgspec.json.decode(value) for name, value in command.arguments.items()}
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`")
        raise NotPossible(f"{field}: {message}" if field else message, "invalid") from error
