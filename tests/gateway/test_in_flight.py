"""Calls under way, in one process and in several."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gateway.board import LANES, Board, create
from gateway.domain import Lane
from gateway.in_flight import InFlight
from tests.gateway import stand

LANE = Lane("m", 1, "x", (2,), stand.mel_model("m", 1).contract.output)


@pytest.fixture
def board_file() -> Iterator[int]:
    """Of a board for three workers."""
    descriptor = create(3)
    yield descriptor
    os.close(descriptor)


def test_alone_a_lane_has_so_many_calls_at_most() -> None:
    in_flight = InFlight(2)
    assert [in_flight.allows("lane", own) for own in range(4)] == [True, True, False, False]


def test_who_is_alone_with_work_may_have_all_calls_and_nobody_less_than_one(board_file: int) -> None:
    first, second, third = (InFlight(2, Board(board_file, row)) for row in range(3))
    first.note("lane", 1)
    assert first.allows("lane", 1)
    first.note("lane", 2)
    assert not first.allows("lane", 2)
    assert second.allows("lane", 0)
    second.note("lane", 1)
    assert not second.allows("lane", 1)
    assert third.allows("lane", 0)
    first.note("lane", 0)
    assert second.allows("lane", 1)
    third.note("lane", 1)
    assert not second.allows("lane", 1)


def test_lanes_do_not_count_for_each_other(board_file: int) -> None:
    first, second = (InFlight(2, Board(board_file, row)) for row in range(2))
    first.note("one lane", 2)
    second.note("another", 1)
    assert second.allows("another", 1)


def test_what_a_worker_had_under_way_ends_with_it(board_file: int) -> None:
    parent, worker = Board(board_file, 0), InFlight(2, Board(board_file, 2))
    lost = InFlight(2, Board(board_file, 1))
    worker.note("lane", 1)
    lost.note("lane", 1000)  # more than a byte holds
    assert not worker.allows("lane", 1)
    parent.clear(1)
    assert worker.allows("lane", 1)
    worker.note("lane", 2)
    assert not worker.allows("lane", 2), "only the lost one's row was cleared"


def test_every_process_finds_the_same_place_for_a_lane(board_file: int) -> None:
    """Python's own hashes of strings differ from one to the next."""
    InFlight(9, Board(board_file, 0)).note(LANE, 7)
    script = (
        "import sys\nfrom gateway.board import Board\nfrom gateway.in_flight import InFlight\n"
        "from tests.gateway.test_in_flight import LANE\n"
        "InFlight(9, Board(int(sys.argv[1]), 1)).note(LANE, 5)"
    )
    subprocess.run([sys.executable, "-c", script, str(board_file)], pass_fds=[board_file], check=True)
    size = os.fstat(board_file).st_size
    written, row = os.pread(board_file, size, 0), size // 3
    [column] = [column for column in range(LANES) if written[column]]
    assert (written[column], written[row + column]) == (7, 5)
    assert sum(written) == 12
