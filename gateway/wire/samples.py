"""Numbers to IQ and features: single precision, finite, C order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.domain import Complex
from gateway.errors import InvalidInput
from gateway.wire.show import count, index


def iq_from_pairs(pairs: NDArray[np.float64], field: str) -> Complex:
    """[I, Q] pairs to IQ.

    Args:
        pairs: float64 (samples, 2), or (receivers, samples, 2).

    Returns:
        complex64 (receivers, samples).

    Raises:
        InvalidInput: another shape, or a number beyond float32; names its index.
    """
    if pairs.ndim not in (2, 3):
        raise InvalidInput(
            "must be [[I, Q], …] for one receiver or [[[I, Q], …], …] for several, "
            f"got an array of {count(pairs.ndim, 'level')}",
            field=field,
        )
    if pairs.shape[-1] != 2:
        at = index(field, (0,) * (pairs.ndim - 1))
        raise InvalidInput(f"must be a pair [I, Q], got {count(pairs.shape[-1], 'number')}", field=at)
    iq: Complex = single(pairs, field).view(np.complex64)[..., 0]
    return iq if iq.ndim == 2 else iq[np.newaxis]


def iq_from_parts(parts: NDArray[Any], field: str) -> Complex:
    """I and Q of any type to IQ, 1.0 = full scale: int16 / 32768, int8 / 128, (uint8 - 128) / 128.

    Args:
        parts: (receivers, samples, 2).

    Returns:
        complex64 (receivers, samples).

    Raises:
        InvalidInput: a number that is not finite in single precision; names its index.
    """
    if parts.dtype.kind in "iu":
        scaled = parts.astype(np.float32)
        if parts.dtype.kind == "u":
            scaled -= _full_scale(parts)
        scaled /= _full_scale(parts)
        parts = scaled
    iq: Complex = single(parts, field).view(np.complex64)[..., 0]
    return iq


def _full_scale(parts: NDArray[Any]) -> float:
    return float(1 << (8 * parts.dtype.itemsize - 1))


def single(values: NDArray[Any], field: str) -> NDArray[Any]:
    """float32 or complex64 in C order, from any precision and byte order; every number finite.

    Raises:
        InvalidInput: a number that is not finite in single precision; names the index of the first.
    """
    dtype = np.complex64 if values.dtype.kind == "c" else np.float32
    flags = values.flags
    if values.dtype == dtype and flags.c_contiguous and flags.aligned:
        converted = values
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            converted = np.require(values.astype(dtype, copy=False), requirements=["C", "A"])
    finite = np.isfinite(converted)
    if b"\0" in finite.tobytes():  # several times as fast as all()
        at = tuple(int(i) for i in np.unravel_index(np.argmin(finite), finite.shape))
        given = values[at]
        why = "not a finite float32 number" if np.isfinite(given) else "not finite"
        raise InvalidInput(f"{given} is {why}", field=index(field, at))
    return converted
