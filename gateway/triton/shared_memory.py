"""POSIX shared memory for rows: segments, who owns them, and what dead owners left behind.

An owner is a process: a file with its name, locked for as long as it lives. The kernel lets go of the lock
however the process ends, and for every container that sees the file; a process id alone would say nothing
outside its own namespace, and may be another process's by now. A segment's name begins with its owner's, and
is never used twice.
"""

import contextlib
import fcntl
import mmap
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gateway.domain import Float

FOLDER = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory is  # nosec B108
PREFIX = "fixgate-rows-"


class Owner:
    """This process, as long as it lives. `name` is a new one each time.

    Raises:
        OSError: there is no shared memory here.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._made = 0
        while True:
            self.name = f"{PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
            self._file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            # Somebody who clears up may have come between the two: then the file is theirs, and gone.
            if _locked(self._file) and os.fstat(self._file).st_nlink:
                return
            os.close(self._file)

    @property
    def _path(self) -> Path:
        return self._folder / self.name

    def in_place(self) -> bool:
        """Whether others can see that this owner lives."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file))
        except OSError:
            return False

    def segment(self, size: int) -> "Segment":
        """A new segment of at least `size` bytes, all of it really there.

        Raises:
            OSError: there is no room.
        """
        self._made += 1
        return Segment(self._folder / f"{self.name}.{self._made}", size)

    def close(self) -> None:
        """Leave."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


class Segment:
    """A piece of shared memory that this process writes rows to."""

    def __init__(self, path: Path, size: int) -> None:
        self.name = path.name
        self.size = size
        self._path = path
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            # Not ftruncate: it promises memory that may not exist, and writing there kills the process.
            os.posix_fallocate(file, 0, size)
            self._map = mmap.mmap(file, size)
        except OSError:
            self.unlink()
            raise
        finally:
            os.close(file)
        self._floats: Float | None = np.frombuffer(self._map, np.float32)

    def write(self, rows: Sequence[Float], shape: tuple[int, ...]) -> None:
        """Copy rows of `shape` to the beginning, one after the other.

        Raises:
            ValueError: they do not fit, or have another shape.
        """
        assert self._floats is not None, "closed"  # noqa: S101
        count = len(rows) * rows[0].size
        target = self._floats[:count].reshape(len(rows), *shape)
        for place, row in enumerate(rows):
            target[place] = row

    def unlink(self) -> None:
        """Take the name away; whoever has mapped the segment keeps it."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the memory back, as far as this process has it."""
        self._floats = None
        self._map.close()
        self.unlink()


def owner_of(segment: str) -> str:
    """The owner in a segment's name."""
    return segment.partition(".")[0]


def alive(owner: str, folder: Path = FOLDER) -> bool:
    """Whether that owner's process lives; when in doubt, it does."""
    try:
        file = os.open(folder / owner, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return not _locked(file)
    finally:
        os.close(file)


def remove_dead(folder: Path = FOLDER) -> list[str]:
    """Remove every file of owners that are dead; returns the owners."""
    owners = sorted({owner_of(path.name) for path in folder.glob(f"{PREFIX}*")})
    return [owner for owner in owners if _removed(owner, folder)]


def _removed(owner: str, folder: Path) -> bool:
    """Remove an owner's files if it is dead. The lock is held meanwhile: it may be just about to begin."""
    with contextlib.ExitStack() as stack:
        try:
            file = os.open(folder / owner, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            pass
        except OSError:
            return False
        else:
            stack.callback(os.close, file)
            if not _locked(file):
                return False
        for path in (*folder.glob(f"{owner}.*"), folder / owner):
            with contextlib.suppress(OSError):
                path.unlink()
    return True


def _locked(file: int) -> bool:
    """Lock a file unless another process has."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
