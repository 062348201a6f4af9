"""The journal: an append-only record of what sync did, one JSON line each."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from contract.deployment import Deployment

log = logging.getLogger(__name__)


class Journal:
    """The file in sync's home; every entry is also handed to `copy` (Redis keeps the newest)."""

    def __init__(self, path: Path, copy: Callable[[Deployment], None]) -> None:
        self._path = path
        self._copy = copy
        self._lock = threading.Lock()
        _end_last_line(path)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def append(self, entry: Deployment) -> None:
        """Write an entry and see it on disk; it is in the log as well."""
        log.info("%s %s", entry.event, entry.model, extra={"fields": _told(entry)})
        line = msgspec.json.encode(entry) + b"\n"
        try:
            with self._lock, self._path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            # A full disk must not keep anything from being served.
            log.warning("not in the journal (%s): %s", error, line.decode())
        self._copy(entry)


def _told(entry: Deployment) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(entry)
    reason = told.pop("message", None)  # a log line's message is the line itself
    return {**told, "reason": reason} if reason else told


def read(path: Path) -> Iterator[Deployment]:
    """All entries, oldest first; a line that a kill cut short is passed over."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                yield msgspec.json.decode(line, type=Deployment)
            except msgspec.DecodeError:
                log.warning("%s: a line that is no entry was passed over", path)


def aliases(path: Path) -> dict[tuple[str, str], int | None]:
    """Where each model's aliases lead by what the journal says."""
    return {
        (entry.model, entry.alias): entry.version
        for entry in read(path)
        if entry.event == "switch" and entry.alias is not None
    }


def decisions(path: Path) -> dict[str, int]:
    """The version that each command came to, by command id."""
    return {
        entry.cause: entry.version
        for entry in read(path)
        if entry.event == "command" and entry.version is not None
    }


def rollouts(path: Path) -> dict[str, str]:
    """Where each model's newest rollout is by what the journal says."""
    return {entry.model: entry.cause for entry in read(path) if entry.event == "rollout"}


def _end_last_line(path: Path) -> None:
    """After a kill in the middle of a line, the next entry must start a new one."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb+") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
