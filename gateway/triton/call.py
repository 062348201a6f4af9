"""A call to Triton, whatever carries it: its rows, its answer, its failure. Pure."""

import math
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.domain import Float, Lane, RawOutputs
from gateway.errors import BadAnswer, DeadlineExceeded, FixgateError, Unavailable

_FLOAT_BYTES = 4
_DTYPES: dict[str, np.dtype[Any]] = {
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}


class Failure(Exception):
    """Triton did not answer with tensors. `code` is gRPC's name for why, `words` are Triton's."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code
        self.words = words


class NotReached(Exception):
    """Triton was not reached, or lost before it answered, or says that it cannot take the call."""


class Tensor(NamedTuple):
    """One output as it came; `datatype` is Triton's name for it."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    content: bytes | memoryview


class Carrier(Protocol):
    """Takes calls to one Triton. Both raise Failure, or BadAnswer for what is no message at all."""

    def with_rows(self, lane: Lane, rows: Sequence[Float]) -> Coroutine[Any, Any, Sequence[Tensor]]:
        """A call that carries its rows, each float32 of the lane's shape."""

    def in_region(self, lane: Lane, rows: int, region: str) -> Coroutine[Any, Any, Sequence[Tensor]]:
        """A call whose rows are at the beginning of a region of shared memory."""


def row_bytes(lane: Lane) -> int:
    """Size of one row."""
    return _FLOAT_BYTES * math.prod(lane.shape)


def no_row(lane: Lane) -> Float:
    """A row of zeros."""
    return np.zeros(lane.shape, np.float32)


def named(lane: Lane) -> str:
    """The version, for messages."""
    return f'model "{lane.model}" version {lane.version}'


def output_names(lane: Lane) -> tuple[str, str]:
    """Position and uncertainty."""
    return lane.output.position.tensor, lane.output.uncertainty.tensor


def raw_outputs(lane: Lane, tensors: Iterable[Tensor], rows: int) -> RawOutputs:
    """The two tensors of an answer, found by name: Triton's order is its own.

    Raises:
        BadAnswer: it is no answer to `rows` rows.
    """
    given = {tensor.name: tensor for tensor in tensors}
    names = output_names(lane)
    for name in names:
        if name not in given:
            raise BadAnswer(f'{named(lane)}: no output "{name}"')
    return RawOutputs(*(_array(lane, given[name], rows) for name in names))


def ours(code: str, lane: Lane) -> FixgateError | NotReached:
    """What a failure means to us, without Triton's words: they may name its paths."""
    match code:
        case "UNAVAILABLE":
            return NotReached()
        case "NOT_FOUND":
            return Unavailable(f"{named(lane)} is not ready in Triton", version_away=True)
        case "RESOURCE_EXHAUSTED" | "CANCELLED" | "ABORTED":
            return Unavailable(f"Triton did not take the call for {named(lane)}")
        case "DEADLINE_EXCEEDED":
            return DeadlineExceeded(f"Triton ran out of time for {named(lane)}")
        case "INVALID_ARGUMENT":
            return BadAnswer(f"Triton refused the input of {named(lane)}")
        case _:
            return BadAnswer(f"Triton failed to run {named(lane)}")


def _array(lane: Lane, tensor: Tensor, rows: int) -> NDArray[Any]:
    dtype = _DTYPES.get(tensor.datatype)
    size = len(tensor.content)
    if dtype is None or tensor.shape[:1] != (rows,) or size != dtype.itemsize * math.prod(tensor.shape):
        raise BadAnswer(
            f'{named(lane)}: output "{tensor.name}" is {tensor.datatype} {list(tensor.shape)}, '
            f"{size} bytes, for {rows} rows"
        )
    array: NDArray[Any] = np.frombuffer(tensor.content, dtype).reshape(tensor.shape)
    return array
