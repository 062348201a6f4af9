"""What a command comes to (pure): the change it asks for, or why it cannot be made."""

from dataclasses import dataclass

import msgspec

from contract.catalog import RoutePolicy, ServedModel
from contract.command import Command
from sync.desired import CHAMPIONS_TAG, RegisteredModel, parse_champions, parse_routing
from sync.plan import Key
from sync.quarantine import Refusal


class NotPossible(ValueError):
    """A command that cannot be carried out; the message says why."""


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
class LookAgain:
    """A pass now."""


Change = MoveChampion | SetRouting | LookAgain


def resolve(
    command: Command,
    registered: dict[str, RegisteredModel],
    served: dict[str, ServedModel],
    refused: dict[Key, Refusal],
    now: float,
) -> Change:
    """Decide what a command means now.

    Raises:
        NotPossible: expired, unknown or refused version, nothing to roll back to, bad weights.
    """
    if now > command.expires_at:
        raise NotPossible("expired before sync read it")
    if command.action == "reload":
        return LookAgain()
    model = registered.get(command.model or "")
    if model is None:
        raise NotPossible(f"the registry has no model {command.model!r}")
    match command.action:
        case "promote":
            return _promote(model, command.version, refused)
        case "rollback":
            return _promote(model, command.version or previous_champion(model), refused)
        case "route":
            return SetRouting(model.name, _policy(command, served.get(model.name), now))
        case _:
            raise NotPossible(f"this sync does not know the action {command.action!r}")


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


def _promote(model: RegisteredModel, version: int | None, refused: dict[Key, Refusal]) -> MoveChampion:
    if version is None or version not in model.versions:
        raise NotPossible(f"{model.name} has no version {version}")
    refusal = refused.get((model.name, version))
    if refusal is not None:
        raise NotPossible(f"{model.name} version {version} is refused ({refusal.fault}): {refusal.reason}")
    return MoveChampion(model.name, version)


def _policy(command: Command, served: ServedModel | None, now: float) -> RoutePolicy | None:
    """The policy that the arguments `weights`, `expires_in_s` and `salt` describe."""
    arguments = command.arguments
    if "weights" not in arguments:
        return None
    try:
        document = {
            "weights": msgspec.json.decode(arguments["weights"]),
            "salt": msgspec.json.decode(arguments["salt"]) if "salt" in arguments else command.id,
        }
        if "expires_in_s" in arguments:
            document["expires_at"] = now + msgspec.json.decode(arguments["expires_in_s"], type=float)
        policy = parse_routing(msgspec.json.encode(document).decode())
    except ValueError as error:
        raise NotPossible(f"weights: {error}") from error
    for name in policy.weights:
        known = served and (name in served.aliases or (name.isdecimal() and served.version(int(name))))
        if not known:
            raise NotPossible(f"weights: {name!r} is neither an alias nor a version that is served")
    return policy
