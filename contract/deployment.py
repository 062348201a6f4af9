"""One entry of sync's journal: what was done to a model, when, and why."""

from typing import Literal

import msgspec

Event = Literal[
    "publish",
    "refuse",
    "switch",
    "retire",
    "replace",
    "lost",
    "recover",
    "route",
    "rollout",
    "tune",
    "command",
]


class Deployment(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry. `at` in Unix seconds, `duration_s` in seconds; `cause` says what asked for it, `by` who.

    `switch`: `alias` moved from `previous` to `version` (None: it leads nowhere).
    """

    at: float
    event: Event
    model: str
    version: int | None = None
    digest: str | None = None
    run_id: str | None = None
    alias: str | None = None
    previous: int | None = None
    cause: str = ""
    by: str = "registry"
    message: str = ""
    duration_s: float | None = None


def dump(entry: Deployment) -> bytes:
    """The entry as JSON, for the Redis stream `contract.keys.JOURNAL`."""
    return msgspec.json.encode(entry)


def parse(document: bytes) -> Deployment:
    """Read an entry.

    Raises:
        ValueError: not JSON, or a field missing or of the wrong type.
    """
    return msgspec.json.decode(document, type=Deployment)
