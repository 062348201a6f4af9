"""One sync per repository in a folder: a lock on the folder that the kernel drops with its owner."""

import errno
import fcntl
import os
from pathlib import Path

UNSUPPORTED = (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


class FolderLock:
    """An exclusive lock on a folder. Where folders cannot be locked (NFS), a file in `fallback` is."""

    def __init__(self, folder: Path, fallback: Path) -> None:
        self._folder = folder
        self._fallback = fallback
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; whether it is ours now. Folders that are not there are made.

        Raises:
            OSError: they cannot be made or opened.
        """
        if self._descriptor is not None:
            return True
        for folder in (self._folder, self._fallback):
            folder.mkdir(parents=True, exist_ok=True)
        for path, flags in ((self._folder, os.O_RDONLY), (self._fallback / "lock", os.O_RDWR | os.O_CREAT)):
            descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if error.errno in UNSUPPORTED:
                    continue
                return False
            self._descriptor = descriptor
            return True
        return False

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
