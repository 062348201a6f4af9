"""Nested lists of numbers to an array, or the first place where they are not one. The exact, slow way."""

import math
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import InvalidInput
from gateway.wire.show import count, index, kind

MAX_LEVELS = 8


def rectangular(value: Any, field: str, *, of: str) -> NDArray[np.float64]:
    """Nested lists of float as float64, in the nesting's shape; an ndarray is returned as it is.

    Args:
        of: what the arrays above the innermost ones hold, for messages.

    Raises:
        InvalidInput: not an array, empty, ragged, deeper than 8 levels, or something other than a number in
            it; names the place.
    """
    if isinstance(value, np.ndarray):
        return value
    shape = _shape(value, field)
    rows = _rows(value, shape, field, of)
    return np.fromiter(chain.from_iterable(rows), np.float64, math.prod(shape)).reshape(shape)


def _shape(value: Any, field: str) -> tuple[int, ...]:
    """Lengths of the first array on every level."""
    if not isinstance(value, list):
        raise InvalidInput(f"must be an array of numbers, got {kind(value)}", field=field)
    shape: list[int] = []
    while isinstance(value, list):
        if not value:
            raise InvalidInput("is empty", field=index(field, (0,) * len(shape)))
        if len(shape) == MAX_LEVELS:
            raise InvalidInput(f"nested deeper than {MAX_LEVELS} levels", field=field)
        shape.append(len(value))
        value = value[0]
    return tuple(shape)


def _rows(
    value: Any, shape: tuple[int, ...], field: str, of: str, at: tuple[int, ...] = ()
) -> Iterator[list[float]]:
    """The innermost lists, each checked."""
    level = len(at)
    if not isinstance(value, list):
        raise InvalidInput(
            f"is {kind(value)} where {index(field, (0,) * level)} is an array", field=index(field, at)
        )
    if len(value) != shape[level]:
        unit = of if level == len(shape) - 2 else "value"
        raise InvalidInput(
            f"{count(len(value), unit)} where {index(field, (0,) * level)} has {shape[level]:,}",
            field=index(field, at),
        )
    if level < len(shape) - 1:
        for i, one in enumerate(value):
            yield from _rows(one, shape, field, of, (*at, i))
        return
    if set(map(type, value)) != {float}:
        i = next(i for i, one in enumerate(value) if type(one) is not float)
        raise InvalidInput(f"must be a number, got {kind(value[i])}", field=index(field, (*at, i)))
    yield value
