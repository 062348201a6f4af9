"""Commands: what gateways and the CLI ask of sync, through a Redis stream.

sync alone carries them out, journals them, and answers each by its id.
"""

from typing import Literal

import msgspec

Action = Literal["reload", "promote", "rollback", "route", "rollout"]


class Command(msgspec.Struct, frozen=True, omit_defaults=True):
    """One command. `id` names the reply; `by` says who asked, for the journal.

    `expires_at` (Unix seconds): a command found later than that is answered as expired, not carried out.
    """

    id: str
    action: Action
    by: str
    issued_at: float
    expires_at: float
    model: str | None = None
    version: int | None = None
    arguments: dict[str, msgspec.Raw] = {}


Fault = Literal["invalid", "not_found", "conflict", "precondition", "unavailable"]
"""Why a command was not carried out: it makes no sense, names what there is not, contradicts what is under
way, was meant for another state; or what it needs does not answer."""


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a command; `before` and `after` are what changed, in the command's own terms.

    `revision`: the catalogue that has it. `fault`: why not, when it was not carried out.
    """

    id: str
    ok: bool
    message: str
    fault: Fault | None = None
    revision: int = 0
    before: dict[str, int | float | str | None] = {}
    after: dict[str, int | float | str | None] = {}


def dump(message: Command | Reply) -> bytes:
    """The message as JSON."""
    return msgspec.json.encode(message)


def parse_command(document: bytes) -> Command:
    """Read a command.

    Raises:
        ValueError: not JSON, or a field missing or of the wrong type.
    """
    return msgspec.json.decode(document, type=Command)


def parse_reply(document: bytes) -> Reply:
    """Read a reply.

    Raises:
        ValueError: not JSON, or a field missing or of the wrong type.
    """
    return msgspec.json.decode(document, type=Reply)
