"""Whether the text of a JSON array is [[a, b], …] or [[[a, b], …], …] throughout, by bits as in simdjson.

One bit per byte of text marks each bracket and comma; 64 bytes go through a few integer operations at once.
"""

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]

_BLOCK = 1 << 17
_ONE, _LAST = np.uint64(1), np.uint64(63)
_OPEN, _CLOSE, _COMMA = b"[],"


def only_pairs(text: NDArray[np.uint8], arrays: int) -> bool:
    """Whether every number stands in an array of two, all other arrays hold arrays, and all are `arrays`.

    Args:
        text: valid JSON that begins with an array of numbers, without strings; bytes after that array may
            only be closing brackets.
        arrays: how many arrays there must be on all levels.

    Returns:
        False also where this way cannot tell: 64 bytes without bracket or comma.
    """
    opens, closes, commas = (_marked(text, symbol) for symbol in (_OPEN, _CLOSE, _COMMA))
    marks = opens | closes | commas
    if not marks.all() or _count(text, _OPEN) != arrays:
        return False
    after_open = _next(opens, marks)
    inner = after_open & commas  # the first comma of an array whose first element is a number
    if (after_open & closes).any() or (_next(inner, marks) & ~closes).any():
        return False
    return not (_next(commas & ~inner, marks) & ~opens).any()


def _marked(text: NDArray[np.uint8], symbol: int) -> Bits:
    """Bit i is set where byte i is `symbol`; the last word is filled up with zeros."""
    packed = np.zeros(-(-len(text) // 64) * 8, np.uint8)
    for start in range(0, len(text), _BLOCK):
        part = np.packbits(text[start : start + _BLOCK] == symbol, bitorder="little")
        packed[start // 8 : start // 8 + len(part)] = part
    return packed.view("<u8")


def _count(text: NDArray[np.uint8], symbol: int) -> int:
    return sum(
        int(np.count_nonzero(text[start : start + _BLOCK] == symbol)) for start in range(0, len(text), _BLOCK)
    )


def _next(some: Bits, marks: Bits) -> Bits:
    """The mark that follows each of `some` marks; every word must hold a mark.

    The gap between two marks is a run of ones; adding one to its first bit carries to the mark after it. A
    carry leaves a word only for the next, because the mark there stops it.
    """
    gaps = ~marks
    first = some << _ONE
    first[1:] |= some[:-1] >> _LAST
    carried = (first & gaps) + gaps
    carried[1:] += carried[:-1] < gaps[:-1]
    return (first | carried) & marks
