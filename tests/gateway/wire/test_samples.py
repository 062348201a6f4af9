"""Numbers become single precision in C order, every one finite."""

import numpy as np
import pytest

from gateway.errors import InvalidInput
from gateway.wire.samples import iq_from_pairs, iq_from_parts, single

LARGEST = float(np.finfo(np.float32).max)
HALF_AWAY = LARGEST + 2.0**103  # float64 halfway to the next power of two, which float32 does not have


def test_pairs_are_rounded_once_from_float64() -> None:
    pairs = np.array([[0.1, 16_777_217.0], [1e-46, -0.0]])
    iq = iq_from_pairs(pairs, "iq_data")
    assert iq.shape == (1, 2)
    assert iq.dtype == np.complex64
    assert iq.tobytes() == pairs.astype(np.float32).tobytes()
    assert np.signbit(iq[0, 1].imag)


def test_the_largest_float32_is_finite_and_what_rounds_beyond_it_is_not() -> None:
    below = np.nextafter(HALF_AWAY, 0)
    assert single(np.array([below]), "x")[0] == np.float32(LARGEST)
    with pytest.raises(
        InvalidInput, match=r"^x\[0\]: 3\.40282356779733\d+e\+38 is not a finite float32 number$"
    ):
        single(np.array([HALF_AWAY]), "x")


def test_a_single_array_in_order_is_not_copied() -> None:
    values = np.ones((2, 3), np.complex64)
    assert single(values, "x") is values


def test_views_become_contiguous() -> None:
    values = np.arange(24, dtype=np.int16).reshape(4, 3, 2).transpose(1, 0, 2)
    iq = iq_from_parts(values, "x")
    assert iq.shape == (3, 4)
    assert iq.flags.c_contiguous
    assert iq[1, 3] == np.complex64(complex(20, 21) / 32768)
