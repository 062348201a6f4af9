"""Refused versions, by identity, in a file in sync's home: not tried again until the version changes."""

import logging
import os
from pathlib import Path
from typing import cast

import msgspec

from sync.errors import Fault
from sync.plan import Key

log = logging.getLogger(__name__)


class Refusal(msgspec.Struct, frozen=True):
    """Why a version was refused, and under which identity. `at` in Unix seconds."""

    model: str
    version: int
    identity: str
    fault: str
    reason: str
    at: float

    @property
    def label(self) -> Fault:
        """The fault, as a metric's label."""
        return cast(Fault, self.fault)


class Quarantine:
    """All refusals in force. A lost file costs one more try of each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._refusals: dict[Key, Refusal] = {}
        try:
            for one in msgspec.json.decode(path.read_bytes(), type=list[Refusal]):
                self._refusals[one.model, one.version] = one
        except (FileNotFoundError, msgspec.DecodeError):
            pass

    def get(self, key: Key) -> Refusal | None:
        """The refusal of a version."""
        return self._refusals.get(key)

    @property
    def identities(self) -> dict[Key, str]:
        """The identity under which each version was refused."""
        return {key: one.identity for key, one in self._refusals.items()}

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """All refusals, by model and version."""
        return tuple(self._refusals[key] for key in sorted(self._refusals))

    def add(self, refusal: Refusal) -> None:
        """Refuse a version."""
        self._refusals[refusal.model, refusal.version] = refusal
        self._save()

    def keep(self, identities: dict[Key, str]) -> None:
        """Forget the refusals of versions that are not registered any more, or have changed."""
        gone = [key for key, one in self._refusals.items() if identities.get(key) != one.identity]
        for key in gone:
            del self._refusals[key]
        if gone:
            self._save()

    def _save(self) -> None:
        temporary = self._path.with_suffix(".new")
        try:
            temporary.write_bytes(msgspec.json.encode(list(self.refusals)))
            os.rename(temporary, self._path)
        except OSError as error:
            log.warning("refusals will not be known after a restart: %s", error)
