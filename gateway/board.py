"""What workers of one parent tell each other without asking: a page of memory that all of them see.

Each writes its own row and reads all. A row has a byte for each lane, the calls under way, and the number of
open connections.
"""

import mmap
import os
import struct

LANES = 256
"""Columns for calls. Lanes that share one hold each other back a little, but never from having one call."""

_MOST = 255
_CONNECTIONS = struct.Struct("<I")
_ROW = LANES + _CONNECTIONS.size


class Board:
    """One worker's view.

    Args:
        descriptor: of the file in memory, from `create`.
        row: the one that this process writes.

    Raises:
        ValueError: it was made by a parent of another release, whose rows are laid out differently.
    """

    def __init__(self, descriptor: int, row: int) -> None:
        self._memory = mmap.mmap(descriptor, 0)
        if len(self._memory) % _ROW:
            raise ValueError("the parent is of another release of fixgate: restart it")
        self._first = row * _ROW

    def calls(self, column: int) -> int:
        """Calls under way in all workers."""
        return sum(self._memory[column::_ROW])

    def write_calls(self, column: int, count: int) -> None:
        """So many are under way here."""
        self._memory[self._first + column] = min(count, _MOST)

    def fewest(self) -> int | None:
        """Open connections of the other worker that has the fewest; None when no other takes any."""
        firsts = range(0, len(self._memory), _ROW)
        noted = [self._noted(first) for first in firsts if first != self._first]
        return min([one - 1 for one in noted if one], default=None)

    def write_connections(self, count: int | None) -> None:
        """So many are open here; None: and no more are taken."""
        noted = 0 if count is None else count + 1
        _CONNECTIONS.pack_into(self._memory, self._first + LANES, noted)

    def clear(self, row: int) -> None:
        """A worker is gone, its calls and its connections with it."""
        self._memory[row * _ROW : (row + 1) * _ROW] = bytes(_ROW)

    def _noted(self, first: int) -> int:
        (noted,) = _CONNECTIONS.unpack_from(self._memory, first + LANES)
        return int(noted)


def create(rows: int) -> int:
    """A file in memory for a board of so many workers; its descriptor, to be handed down to them."""
    descriptor = os.memfd_create("fixgate-board")
    os.ftruncate(descriptor, rows * _ROW)
    return descriptor
