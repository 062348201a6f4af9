"""One sync per repository."""

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from sync.folder_lock import FolderLock

HOLD = """
import sys
from pathlib import Path
from sync.folder_lock import FolderLock
lock = FolderLock(Path(sys.argv[1]), Path(sys.argv[1]))
print(lock.acquire(), flush=True)
sys.stdin.read()
"""


def test_the_second_does_not_get_it_until_the_first_gives_it_back(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path, tmp_path), FolderLock(tmp_path, tmp_path)
    assert first.acquire()
    assert first.acquire(), "who has it has it, also when asking again"
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_the_lock_dies_with_its_owner(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    assert owner.stdout.readline() == b"True\n"
    mine = FolderLock(tmp_path, tmp_path)
    assert not mine.acquire()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    owner.stdin.close()
    assert mine.acquire()
    mine.release()


def test_the_lock_leaves_nothing_in_the_repository(tmp_path: Path) -> None:
    repository, fallback = tmp_path / "repository", tmp_path / "staging"
    repository.mkdir()
    fallback.mkdir()
    lock = FolderLock(repository, fallback)
    assert lock.acquire()
    assert list(repository.iterdir()) == list(fallback.iterdir()) == []
    lock.release()


def test_where_folders_cannot_be_locked_a_file_beside_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock

    def as_on_nfs(descriptor: int, operation: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").resolve().is_dir():
            raise OSError(errno.EBADF, "Bad file descriptor")
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", as_on_nfs)
    first, second = FolderLock(tmp_path, tmp_path), FolderLock(tmp_path, tmp_path)
    assert first.acquire()
    assert (tmp_path / "lock").is_file()
    assert not second.acquire()
    first.release()
