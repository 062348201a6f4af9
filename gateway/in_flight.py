"""How many calls of one lane may be under way at once, in this process or in several workers together.

A worker may always have one under way, and more while all workers together have fewer than they may. So one
that has all the connections can use all of the model's instances, and where each has something to do, what
waits does so in its own queue, where it can still be put in order and refused.
"""

import mmap
import os
import zlib
from collections.abc import Hashable
from functools import lru_cache

LANES = 256
"""Columns of a board. Lanes that share one hold each other back a little, but never from having one call."""

_MOST = 255


class Board:
    """What each worker has under way, in memory that all of them see: a row each, a byte for each lane.

    Args:
        descriptor: of the file in memory, from `create`.
        row: the one that this process writes.
    """

    def __init__(self, descriptor: int, row: int) -> None:
        self._memory = mmap.mmap(descriptor, 0)
        self._first = row * LANES

    def together(self, column: int) -> int:
        """Calls under way in all workers."""
        return sum(self._memory[column::LANES])

    def write(self, column: int, count: int) -> None:
        """So many are under way here."""
        self._memory[self._first + column] = min(count, _MOST)

    def clear(self, row: int) -> None:
        """A worker is gone, and its calls with it."""
        self._memory[row * LANES : (row + 1) * LANES] = bytes(LANES)


def create(rows: int) -> int:
    """A file in memory for a board of so many workers; its descriptor, to be handed down to them."""
    descriptor = os.memfd_create("fixgate-calls")
    os.ftruncate(descriptor, rows * LANES)
    return descriptor


class InFlight:
    """At most `most` calls of a lane in this process; with a `board`, in all workers, one each at least."""

    def __init__(self, most: int, board: Board | None = None) -> None:
        self._most = most
        self._board = board

    def allows(self, lane: Hashable, own: int) -> bool:
        """Whether a call may leave beside `own` that this process has under way."""
        if not own:
            return True
        under_way = own if self._board is None else max(own, self._board.together(_column(lane)))
        return under_way < self._most

    def note(self, lane: Hashable, own: int) -> None:
        """This process has so many under way now."""
        if self._board is not None:
            self._board.write(_column(lane), own)


@lru_cache(maxsize=1024)
def _column(lane: Hashable) -> int:
    """The same in every worker: Python's own hashes are not."""
    return zlib.crc32(repr(lane).encode()) % LANES
