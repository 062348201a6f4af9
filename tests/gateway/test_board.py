"""What workers tell each other through memory."""

import os
from collections.abc import Iterator

import pytest

from gateway.board import Board, create


@pytest.fixture
def board_file() -> Iterator[int]:
    """Of a board for four workers."""
    descriptor = create(4)
    yield descriptor
    os.close(descriptor)


def test_the_fewest_connections_are_those_of_another_that_takes_any(board_file: int) -> None:
    first, second, third, _ = (Board(board_file, row) for row in range(4))
    assert first.fewest() is None
    first.write_connections(7)
    assert first.fewest() is None
    assert second.fewest() == 7
    second.write_connections(0)
    third.write_connections(100_000)
    assert [one.fewest() for one in (first, second, third)] == [0, 7, 0]
    second.write_connections(None)
    assert [one.fewest() for one in (first, second, third)] == [100_000, 7, 7]


def test_a_worker_that_is_gone_has_none(board_file: int) -> None:
    parent, first, second = (Board(board_file, row) for row in range(3))
    first.write_connections(3)
    second.write_connections(4)
    parent.clear(1)
    assert second.fewest() is None
    assert first.fewest() == 4


def test_calls_and_connections_do_not_count_for_each_other(board_file: int) -> None:
    first, second = (Board(board_file, row) for row in range(2))
    first.write_connections(0xFFFFFF)
    assert sum(second.calls(column) for column in range(256)) == 0
    for column in range(256):
        second.write_calls(column, 255)
    assert second.fewest() == 0xFFFFFF
    assert first.fewest() is None


def test_a_board_of_another_release_is_refused(board_file: int) -> None:
    os.ftruncate(board_file, 4 * 256)
    with pytest.raises(ValueError, match="another release"):
        Board(board_file, 0)
