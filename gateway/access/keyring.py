"""The API keys in force: those of the file, followed as it changes."""

import logging
from collections.abc import Callable
from pathlib import Path

from gateway.access import key_file
from gateway.access.key_file import KeyFileError, StoredKey

log = logging.getLogger(__name__)

RECHECK_S = 1.0


class Keyring:
    """Looks keys up; notices a change of the file at the first look-up a second or more after the last check.

    A changed file that cannot be used is logged, and the last good keys stay: a slip in an editor locks
    nobody out. `clock` gives seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """Read the file.

        Raises:
            KeyFileError: it cannot be read, or a line is malformed.
        """
        self._path = path
        self._clock = clock
        self._seen = self._state()
        self._checked = clock()
        self._keys = key_file.load(path)
        self.stale = False

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, key: str) -> StoredKey | None:
        """What is kept of this key; None when it is not one of ours."""
        if self._clock() - self._checked >= RECHECK_S:
            self._checked = self._clock()
            self._follow()
        stored = self._keys.get(key_file.key_id(key) or "")
        return stored if stored is not None and stored.matches(key) else None

    def _follow(self) -> None:
        now = self._state()
        if now == self._seen:
            return
        self._seen = now
        try:
            self._keys = key_file.load(self._path)
        except KeyFileError as error:
            self.stale = True
            log.error("API keys not read again, the last good ones stay in force: %s", error)  # noqa: TRY400
        else:
            self.stale = False
            log.info("API keys read again: %d", len(self))

    def _state(self) -> tuple[int, ...] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size
