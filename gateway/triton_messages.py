"""Triton's messages as bytes: what a call sends, and what its answer holds. Pure.

A call's message is made once for each lane, number of rows and region, and then used again. Rows that go in
the body are joined behind it: they are copied once, where building the message would copy them three times.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from gateway.domain import Float, Lane, RawOutputs
from gateway.errors import BadAnswer

_FLOAT_BYTES = 4
_RAW_INPUT_CONTENTS = bytes([7 << 3 | 2])
"""Tag of ModelInferRequest.raw_input_contents, length-delimited; protobuf takes fields in any order."""

_DTYPES: dict[str, np.dtype[Any]] = {
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}


def row_bytes(lane: Lane) -> int:
    """Size of one row."""
    return _FLOAT_BYTES * math.prod(lane.shape)


def no_row(lane: Lane) -> Float:
    """A row of zeros."""
    return np.zeros(lane.shape, np.float32)


def with_body(lane: Lane, rows: Sequence[Float]) -> bytes:
    """A call that carries its rows, each float32 of the lane's shape."""
    return b"".join((_head(lane, len(rows)), *(np.ascontiguousarray(row, "<f4").data for row in rows)))


@lru_cache(maxsize=4096)
def in_region(lane: Lane, rows: int, region: str) -> bytes:
    """A call whose rows are at the beginning of a region of shared memory."""
    request = _request(lane, rows)
    parameters = request.inputs[0].parameters
    parameters["shared_memory_region"].string_param = region
    parameters["shared_memory_byte_size"].int64_param = rows * row_bytes(lane)
    return bytes(request.SerializeToString())


def outputs(lane: Lane, answer: bytes, rows: int) -> RawOutputs:
    """The two tensors of an answer, read by name: Triton's order is its own.

    Raises:
        BadAnswer: it is no answer to `rows` rows.
    """
    try:
        response = service_pb2.ModelInferResponse.FromString(answer)
    except DecodeError:
        raise BadAnswer(f"{named(lane)}: Triton answered with something else than a message") from None
    raw = response.raw_output_contents
    if len(raw) != len(response.outputs):
        raise BadAnswer(f"{named(lane)}: {len(raw)} buffers for {len(response.outputs)} outputs")
    given = {
        tensor.name: _array(lane, tensor, content, rows)
        for tensor, content in zip(response.outputs, raw, strict=True)
    }
    for name in _names(lane):
        if name not in given:
            raise BadAnswer(f'{named(lane)}: no output "{name}"')
    return RawOutputs(*(given[name] for name in _names(lane)))


def named(lane: Lane) -> str:
    """The version, for messages."""
    return f'model "{lane.model}" version {lane.version}'


@lru_cache(maxsize=4096)
def _head(lane: Lane, rows: int) -> bytes:
    size = rows * row_bytes(lane)
    return bytes(_request(lane, rows).SerializeToString()) + _RAW_INPUT_CONTENTS + _varint(size)


def _request(lane: Lane, rows: int) -> Any:
    request = service_pb2.ModelInferRequest(model_name=lane.model, model_version=str(lane.version))
    request.inputs.add(name=lane.tensor, datatype="FP32", shape=(rows, *lane.shape))
    for name in _names(lane):
        request.outputs.add(name=name)
    return request


def _varint(number: int) -> bytes:
    """Base 128, least significant group first (protobuf.dev/programming-guides/encoding)."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _names(lane: Lane) -> tuple[str, str]:
    return lane.output.position.tensor, lane.output.uncertainty.tensor


def _array(lane: Lane, tensor: Any, content: bytes, rows: int) -> NDArray[Any]:
    dtype = _DTYPES.get(tensor.datatype)
    shape = tuple(tensor.shape)
    if dtype is None or shape[:1] != (rows,) or len(content) != dtype.itemsize * math.prod(shape):
        raise BadAnswer(
            f'{named(lane)}: output "{tensor.name}" is {tensor.datatype} {list(shape)}, '
            f"{len(content)} bytes, for {rows} rows"
        )
    array: NDArray[Any] = np.frombuffer(content, dtype).reshape(shape)
    return array
