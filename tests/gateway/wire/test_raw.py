"""Raw samples are receiver-major and scaled to full scale; lengths must divide evenly."""

from typing import Any

import numpy as np
import pytest

from gateway.errors import InvalidInput
from gateway.wire.raw import recording


@pytest.mark.parametrize(
    ("dtype", "numbers", "scaled"),
    [
        ("cf32_le", np.array([0.5, -1, 3e38, 1e-45], "<f4"), [0.5, -1, np.float32(3e38), np.float32(1e-45)]),
        ("ci16_le", np.array([-32768, 32767, 1, 0], "<i2"), [-1, 32767 / 32768, 1 / 32768, 0]),
        ("ci8", np.array([-128, 127, 1, 0], "i1"), [-1, 127 / 128, 1 / 128, 0]),
        ("cu8", np.array([0, 255, 128, 129], "u1"), [-1, 127 / 128, 0, 1 / 128]),
    ],
)
def test_every_dtype_is_scaled_to_full_scale(dtype: str, numbers: Any, scaled: list[float]) -> None:
    iq = recording(numbers.tobytes(), {"dtype": dtype}).iq
    assert iq is not None
    assert iq.tolist() == [[complex(*scaled[:2]), complex(*scaled[2:])]]


def test_receivers_follow_one_another() -> None:
    expected = np.arange(24, dtype="<f4").view("<c8").reshape(3, 4)
    iq = recording(expected.tobytes(), {"dtype": "cf32_le", "receivers": "3"}).iq
    assert iq is not None
    assert iq.dtype == np.complex64
    assert iq.flags.c_contiguous
    assert np.array_equal(iq, expected)


def test_f32_le_is_the_flat_input_tensor() -> None:
    features = recording(np.arange(6, dtype="<f4").tobytes(), {"dtype": "f32_le"}).features
    assert features is not None
    assert features.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("size", "parameters", "message"),
    [
        (8, {}, "dtype: must be in the query string, one of cf32_le, ci16_le, ci8, cu8, f32_le"),
        (8, {"dtype": "f64"}, 'dtype: must be one of cf32_le, ci16_le, ci8, cu8, f32_le, got "f64"'),
        (
            25,
            {"dtype": "cf32_le", "receivers": "3"},
            "body: must be a positive multiple of 24 bytes to hold cf32_le samples of 3 receivers, got 25",
        ),
        (
            3,
            {"dtype": "ci8"},
            "body: must be a positive multiple of 2 bytes to hold ci8 samples of 1 receiver, got 3",
        ),
        (
            0,
            {"dtype": "cu8"},
            "body: must be a positive multiple of 2 bytes to hold cu8 samples of 1 receiver, got 0",
        ),
        (
            7,
            {"dtype": "f32_le"},
            "body: must be a positive multiple of 4 bytes to hold float32 values, got 7",
        ),
        (
            8,
            {"dtype": "f32_le", "receivers": "1"},
            "receivers: has no meaning with dtype f32_le, the model's input tensor",
        ),
        (8, {"dtype": "ci8", "receivers": "0"}, 'receivers: must be a whole number from 1 to 1024, got "0"'),
        (
            8,
            {"dtype": "ci8", "receivers": "-1"},
            'receivers: must be a whole number from 1 to 1024, got "-1"',
        ),
        (
            8,
            {"dtype": "ci8", "receivers": "1025"},
            'receivers: must be a whole number from 1 to 1024, got "1025"',
        ),
        (8, {"dtype": "ci8", "receivers": "٣"}, 'receivers: must be a whole number from 1 to 1024, got "٣"'),
        (8, {"dtype": "ci8", "receivers": ""}, 'receivers: must be a whole number from 1 to 1024, got ""'),
        (8, {"dtype": "ci8", "receivers": "²"}, 'receivers: must be a whole number from 1 to 1024, got "²"'),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(
    size: int, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        recording(bytes(size), parameters)
    assert caught.value.detail == message


@pytest.mark.parametrize(
    ("dtype", "field"),
    [("cf32_le", "samples[1][0][1]: nan is not finite"), ("f32_le", "features[5]: nan is not")],
)
def test_the_first_number_that_is_not_finite_is_named(dtype: str, field: str) -> None:
    values = np.array([0, 1, 2, 3, 4, np.nan, np.inf, 7], "<f4")
    parameters = {"dtype": dtype} | ({"receivers": "2"} if dtype == "cf32_le" else {})
    with pytest.raises(InvalidInput) as caught:
        recording(values.tobytes(), parameters)
    assert caught.value.detail.startswith(field)
