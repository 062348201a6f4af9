"""How many calls of one lane may be under way at once, in this process or in several workers together.

A worker may always have one under way, and more while all workers together have fewer than they may. So one
that has all the connections can use all of the model's instances, and where each has something to do, what
waits does so in its own queue, where it can still be put in order and refused.
"""

import zlib
from collections.abc import Hashable
from functools import lru_cache

from gateway.board import LANES, Board


class InFlight:
    """At most `most` calls of a lane in this process; with a `board`, in all workers, one each at least."""

    def __init__(self, most: int, board: Board | None = None) -> None:
        self._most = most
        self._board = board

    def allows(self, lane: Hashable, own: int) -> bool:
        """Whether a call may leave beside `own` that this process has under way."""
        if not own:
            return True
        under_way = own if self._board is None else max(own, self._board.calls(_column(lane)))
        return under_way < self._most

    def note(self, lane: Hashable, own: int) -> None:
        """This process has so many under way now."""
        if self._board is not None:
            self._board.write_calls(_column(lane), own)


@lru_cache(maxsize=1024)
def _column(lane: Hashable) -> int:
    """The same in every worker: Python's own hashes are not."""
    return zlib.crc32(repr(lane).encode()) % LANES
