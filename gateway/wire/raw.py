"""Raw numbers as `application/octet-stream`: receiver-major IQ, or the model's input tensor."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.domain import Recording
from gateway.errors import InvalidInput
from gateway.wire.options import MAX_RECEIVERS
from gateway.wire.samples import iq_from_parts, single
from gateway.wire.show import count, shown

PARAMETERS = frozenset({"dtype", "receivers"})

_TENSOR = "f32_le"
# dtype of one part (I or Q).
_PARTS: dict[str, np.dtype[Any]] = {
    "cf32_le": np.dtype("<f4"),
    "ci16_le": np.dtype("<i2"),
    "ci8": np.dtype("i1"),
    "cu8": np.dtype("u1"),
}

DTYPES = (*_PARTS, _TENSOR)
"""What the parameter `dtype` may be."""


def recording(body: bytes, parameters: Mapping[str, str]) -> Recording:
    """Samples of `receivers` (default 1) receivers one after the other, or with `dtype=f32_le` a flat tensor.

    Raises:
        InvalidInput: an unknown dtype, a length that does not divide evenly, or a number that is not finite.
    """
    dtype = parameters.get("dtype")
    if dtype is None:
        raise InvalidInput(f"must be in the query string, one of {', '.join(DTYPES)}", field="dtype")
    if dtype == _TENSOR:
        return Recording(features=_tensor(body, parameters))
    if dtype not in _PARTS:
        raise InvalidInput(f"must be one of {', '.join(DTYPES)}, got {shown(dtype)}", field="dtype")
    receivers = _receivers(parameters.get("receivers", "1"))
    parts = _numbers(body, _PARTS[dtype], 2 * receivers, f"{dtype} samples of {count(receivers, 'receiver')}")
    return Recording(iq=iq_from_parts(parts.reshape(receivers, -1, 2), "samples"))


def _tensor(body: bytes, parameters: Mapping[str, str]) -> NDArray[np.float32]:
    if "receivers" in parameters:
        raise InvalidInput("has no meaning with dtype f32_le, the model's input tensor", field="receivers")
    return single(_numbers(body, np.dtype("<f4"), 1, "float32 values"), "features")


def _numbers(body: bytes, dtype: np.dtype[Any], parts: int, of: str) -> NDArray[Any]:
    step = parts * dtype.itemsize
    if not body or len(body) % step:
        raise InvalidInput(
            f"must be a positive multiple of {step:,} bytes to hold {of}, got {len(body):,}", field="body"
        )
    return np.frombuffer(body, dtype)


def _receivers(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MAX_RECEIVERS):
        raise InvalidInput(
            f"must be a whole number from 1 to {MAX_RECEIVERS}, got {shown(text)}", field="receivers"
        )
    return int(text)
