"""Segments in the real /dev/shm, and owners that live, end, and are killed."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gateway.domain import Float
from gateway.triton.shared_memory import FOLDER, PREFIX, Owner, Segment, alive, owner_of, remove_dead


@pytest.fixture
def owner() -> Iterator[Owner]:
    """This process."""
    owner = Owner()
    yield owner
    owner.close()


@pytest.fixture
def segment(owner: Owner) -> Iterator[Segment]:
    """Room for four rows of six floats."""
    segment = owner.segment(96)
    yield segment
    segment.close()


def rows(count: int) -> list[Float]:
    """Rows of shape (2, 3), all different."""
    return list(np.arange(count * 6, dtype=np.float32).reshape(count, 2, 3))


def content(segment: Segment) -> list[float]:
    """What another process would read."""
    found: list[float] = np.fromfile(FOLDER / segment.name, np.float32).tolist()
    return found


def test_rows_are_written_one_after_the_other(segment: Segment) -> None:
    segment.write(rows(3), (2, 3))
    assert content(segment) == [*range(18), 0, 0, 0, 0, 0, 0]


def test_rows_may_be_strided(segment: Segment) -> None:
    segment.write([row.T.copy().T for row in rows(2)], (2, 3))
    assert content(segment)[:12] == list(range(12))


@pytest.mark.parametrize(
    "wrong", [rows(5), [np.zeros((3, 2), np.float32)], [*rows(1), np.zeros(7, np.float32)]]
)
def test_rows_that_do_not_fit_are_an_error(segment: Segment, wrong: list[Float]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 numpy's own words
        segment.write(wrong, (2, 3))


def test_a_segment_is_for_its_user_only_and_ends_with_its_name(segment: Segment) -> None:
    assert (FOLDER / segment.name).stat().st_mode & 0o777 == 0o600
    segment.close()
    segment.close()
    assert not (FOLDER / segment.name).exists()


def test_names_carry_pid_and_chance_and_are_never_used_twice(owner: Owner) -> None:
    other = Owner()
    names = []
    for one in (owner, owner, other):
        made = one.segment(4)
        names.append(made.name)
        made.close()
    assert len(set(names)) == 3
    assert [owner_of(name) for name in names] == [owner.name, owner.name, other.name]
    assert owner.name.startswith(f"{PREFIX}{os.getpid()}-")
    other.close()


def test_memory_that_is_not_there_is_an_error_and_leaves_nothing(owner: Owner) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 the number is checked
        owner.segment(1 << 50)
    assert caught.value.errno in (errno.ENOSPC, errno.EFBIG)
    assert list(FOLDER.glob(f"{owner.name}.*")) == []


def test_where_there_is_no_shared_memory_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Owner(tmp_path / "missing")


def test_an_owner_lives_until_it_leaves() -> None:
    owner = Owner()
    assert alive(owner.name)
    assert owner.in_place()
    owner.close()
    assert not alive(owner.name)
    assert not (FOLDER / owner.name).exists()


def test_an_owner_whose_file_was_taken_away_notices(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    (tmp_path / owner.name).unlink()
    assert not owner.in_place()
    (tmp_path / owner.name).touch()
    assert not owner.in_place()
    owner.close()


KILLED = """
import sys, pathlib
from gateway.triton.shared_memory import Owner
owner = Owner(pathlib.Path(sys.argv[1]))
owner.segment(4096)
print(owner.name, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    """Segments of a living owner, and files that are not ours, stay."""
    living = Owner(tmp_path)
    segment = living.segment(4096)
    (tmp_path / "somebody-else").touch()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert alive(name, tmp_path)
        assert remove_dead(tmp_path) == []
        process.send_signal(signal.SIGKILL)
    assert not alive(name, tmp_path)
    assert remove_dead(tmp_path) == [name]
    assert {path.name for path in tmp_path.iterdir()} == {"somebody-else", living.name, segment.name}
    segment.close()
    living.close()


def test_a_segment_without_its_owners_file_has_no_owner(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}1-0.1").touch()
    assert remove_dead(tmp_path) == [f"{PREFIX}1-0"]
    assert list(tmp_path.iterdir()) == []
