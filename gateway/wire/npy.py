"""npy: numpy's own file format, one array. Never pickle, and no allocation from what a header claims."""

import ast
import math
import re
import struct
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from gateway.domain import BatchRequest, Options, PredictRequest, Recording
from gateway.errors import InvalidInput
from gateway.wire.limits import Limits
from gateway.wire.samples import single

_FIELD = "npy"
_MAX_HEADER = 4096
_MAX_LEVELS = 8
_MAX_AXIS = (1 << 63) - 1
_DTYPES = {"f4", "f8", "c8", "c16"}
_SIZES: dict[tuple[int, ...], str] = {(1, 0): "<H", (2, 0): "<I"}
# What a header needs; without "L" (Python 2's long integers) and backslashes, on which the parser warns.
_PLAIN = re.compile(rb"[A-KM-Za-z0-9_<>|=.,:'\"()\[\]{} \n-]*")
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    SyntaxError,
    OverflowError,
    RecursionError,
    MemoryError,
    Warning,
)


def recording(body: bytes) -> Recording:
    """complex (samples) or (receivers, samples) is IQ; float is the model's input tensor.

    Raises:
        InvalidInput: not an npy file of one such array, or a number that is not finite.
    """
    values = array(body)
    if values.dtype.kind == "f":
        return Recording(features=single(values, _FIELD))
    if values.ndim > 2:
        raise InvalidInput(
            f"IQ of shape {values.shape} must be (samples) or (receivers, samples); "
            "a batch goes to the path that ends in /batch",
            field=_FIELD,
        )
    return Recording(iq=np.atleast_2d(single(values, _FIELD)))


def batch(body: bytes, options: Options, continue_on_error: bool, limits: Limits) -> BatchRequest:
    """As `recording` with one more leading axis, always; a number that is not finite fails its item alone.

    Raises:
        InvalidInput: not an npy file of one such array, or not 1 to 100 items.
    """
    values = array(body)
    if values.dtype.kind == "c" and values.ndim != 3:
        raise InvalidInput(
            f"a batch of IQ must be (items, receivers, samples), got shape {values.shape}; "
            "one receiver is an axis of length 1 here",
            field=_FIELD,
        )
    if values.ndim < 2:
        raise InvalidInput(
            f"a batch of tensors must have the items as its first axis, got shape {values.shape}",
            field=_FIELD,
        )
    if len(values) > limits.batch_items:
        raise InvalidInput(f"must have 1 to {limits.batch_items} items, got {len(values):,}", field=_FIELD)
    items = tuple(_item(one, options, f"{_FIELD}[{i}]") for i, one in enumerate(values))
    return BatchRequest(items, continue_on_error)


def array(body: bytes) -> NDArray[Any]:
    """The array, uncopied: float32, float64, complex64 or complex128 of any byte order and memory order.

    Raises:
        InvalidInput: anything else; says what was found.
    """
    shape, fortran, dtype, start = _header(body)
    if (
        dtype.hasobject
        or dtype.names is not None
        or dtype.subdtype is not None
        or dtype.str[1:] not in _DTYPES
    ):
        raise InvalidInput(
            f"dtype {str(dtype)[:60]} is not allowed: complex64 or complex128 for IQ, "
            "float32 or float64 for the model's input tensor",
            field=_FIELD,
        )
    if any(abs(n) > _MAX_AXIS for n in shape):  # which Python may refuse to print
        raise InvalidInput("shape has an axis of 2^63 or more, which no array has", field=_FIELD)
    if not 1 <= len(shape) <= _MAX_LEVELS or any(type(n) is not int or n < 1 for n in shape):
        raise InvalidInput(f"shape {_short(shape)} must have 1 to 8 axes, none empty", field=_FIELD)
    claimed = math.prod(shape) * dtype.itemsize
    if claimed != len(body) - start:
        raise InvalidInput(
            f"shape {_short(shape)} of {dtype} takes {_short(f'{claimed:,}')} bytes, "
            f"but {len(body) - start:,} follow the header",
            field=_FIELD,
        )
    flat = np.frombuffer(body, dtype, offset=start)
    return flat.reshape(shape, order="F" if fortran else "C")


def _header(body: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether in Fortran order, dtype, and where the data start."""
    if body[:6] != npy_format.MAGIC_PREFIX:
        raise InvalidInput(r"does not start with the magic bytes \x93NUMPY", field=_FIELD)
    version = tuple(body[6:8])
    if version not in _SIZES:
        raise InvalidInput(
            f"format version {'.'.join(map(str, version))} is not readable: 1.0 or 2.0", field=_FIELD
        )
    size = _SIZES[version]
    start = 8 + struct.calcsize(size)
    if len(body) < start:
        raise InvalidInput("ends within its header", field=_FIELD)
    end = start + struct.unpack_from(size, body, 8)[0]
    if end - start > _MAX_HEADER:
        raise InvalidInput(
            f"header of {end - start:,} bytes; at most {_MAX_HEADER:,} are allowed", field=_FIELD
        )
    if len(body) < end:
        raise InvalidInput("ends within its header", field=_FIELD)
    if not _PLAIN.fullmatch(body, start, end):
        raise InvalidInput("header is not that of an array", field=_FIELD)
    try:
        return *_described(body[start:end].decode()), end
    except _UNREADABLE:
        raise InvalidInput("header is not that of an array", field=_FIELD) from None


def _described(header: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype, as numpy's own reader has them.

    That one looks for long integers of Python 2 in what is no literal, by a tokenizer that may take seconds.
    """
    found = ast.literal_eval(header)
    shape, fortran = found["shape"], found["fortran_order"]
    if len(found) != 3 or not isinstance(fortran, bool):
        raise ValueError
    if not isinstance(shape, tuple) or not all(isinstance(n, int) for n in shape):
        raise ValueError
    dtype: np.dtype[Any] = npy_format.descr_to_dtype(found["descr"])  # type: ignore[no-untyped-call]
    return shape, fortran, dtype


def _item(values: NDArray[Any], options: Options, field: str) -> PredictRequest | InvalidInput:
    try:
        checked = single(values, field)
    except InvalidInput as error:
        return error
    if checked.dtype.kind == "c":
        return PredictRequest(Recording(iq=checked), options)
    return PredictRequest(Recording(features=checked), options)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:60] + "…"
