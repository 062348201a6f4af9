"""A recording becomes the model's canonical input, or the error says what the contract wants."""

from typing import Any

import numpy as np
import pytest

from contract.catalog import TensorSpec
from contract.model import ModelContract, parse
from gateway.domain import Options, Recording
from gateway.errors import InvalidInput
from gateway.recordings.conform import conform, tensor_shape

OUTPUT = {
    "position": {"tensor": "p", "order": ["latitude", "longitude"]},
    "uncertainty": {"tensor": "u", "kind": "sigma", "units": "metres", "order": ["north", "east"]},
}
NAMED = [{"id": "TO"}, {"id": "GE"}, {"id": "MI"}]
FRONTEND = {"n_fft": 64, "hop": 16, "n_mels": 4, "frames": 5}


def contract(**given: Any) -> ModelContract:
    return parse({"schema": 1, "input": {"tensor": "x", **given}, "output": OUTPUT})


def mel(receivers: Any = 3, one_receiver: str = "repeat") -> ModelContract:
    return contract(kind="mel", receivers=receivers, one_receiver=one_receiver, frontend=FRONTEND)


def iq_model(samples: int | None = None) -> ModelContract:
    return contract(kind="iq", receivers=3, samples=samples, sample_rate_hz=48_000)


TENSOR = contract(kind="tensor")


def spec(*shape: int) -> tuple[TensorSpec, ...]:
    return TensorSpec("other", "FP32", (1,)), TensorSpec("x", "FP32", shape)


def iq(receivers: int = 3, samples: int = 80) -> Recording:
    values = np.arange(2 * receivers * samples, dtype=np.float32).view(np.complex64)
    return Recording(iq=values.reshape(receivers, samples))


def features(*shape: int) -> Recording:
    return Recording(features=np.arange(np.prod(shape), dtype=np.float32).reshape(shape))


def run(recording: Recording, model: ModelContract, *shape: int, **options: Any) -> Any:
    return conform(recording, Options(**options), model, tensor_shape(model, spec(*shape)))


def test_iq_for_a_front_end_stays_as_it_is() -> None:
    recording = iq()
    canonical = run(recording, mel())
    assert recording.iq is not None
    assert canonical.dtype == np.complex64
    assert np.array_equal(canonical, recording.iq)


def test_iq_for_a_model_without_front_end_becomes_pairs() -> None:
    canonical = run(iq(samples=7), iq_model())
    assert (canonical.dtype, canonical.shape) == (np.float32, (3, 7, 2))
    assert canonical.flags.c_contiguous
    assert np.array_equal(canonical.ravel(), np.arange(42))


def test_one_receiver_is_repeated_where_the_contract_allows_it() -> None:
    canonical = run(iq(receivers=1), mel())
    assert canonical.shape == (3, 80)
    assert (canonical == canonical[0]).all()
    assert canonical.flags.c_contiguous


def test_receivers_are_put_in_the_contracts_order() -> None:
    recording = iq()
    assert recording.iq is not None
    canonical = run(recording, mel(NAMED), receiver_ids=("MI", "TO", "GE"))
    assert np.array_equal(canonical, recording.iq[[1, 2, 0]])
    assert canonical.flags.c_contiguous
    tensor = features(3, 4, 5)
    assert tensor.features is not None
    assert np.array_equal(
        run(tensor, mel(NAMED), receiver_ids=("MI", "TO", "GE")), tensor.features[[1, 2, 0]]
    )


@pytest.mark.parametrize(
    ("shape", "model_shape"),
    [
        ((2, 6), (2, 6)),
        ((2, 6), (-1, 6)),
        ((2, 6), (-1, -1)),
        ((12,), (2, 6)),
        ((12,), (2, -1)),
        ((12,), (-1,)),
    ],
)
def test_features_of_the_tensors_shape_or_flat_are_taken(
    shape: tuple[int, ...], model_shape: tuple[int, ...]
) -> None:
    canonical = run(features(*shape), TENSOR, *model_shape)
    assert canonical.dtype == np.float32
    assert canonical.ndim == len(model_shape)
    assert np.array_equal(canonical.ravel(), np.arange(12))


@pytest.mark.parametrize("shape", [(3, 4, 5), (60,)])
def test_a_front_ends_output_is_taken_in_its_place(shape: tuple[int, ...]) -> None:
    assert run(features(*shape), mel()).shape == (3, 4, 5)


@pytest.mark.parametrize("shape", [(3, 9, 2), (54,)])
def test_pairs_are_taken_as_the_tensor_of_an_iq_model(shape: tuple[int, ...]) -> None:
    assert run(features(*shape), iq_model()).shape == (3, 9, 2)


@pytest.mark.parametrize("model", [mel(), iq_model()])
def test_the_contracts_sample_rate_may_be_stated(model: ModelContract) -> None:
    assert run(iq(), model, sample_rate_hz=model.sample_rate_hz).shape[:2] == (3, 80)


@pytest.mark.parametrize(
    ("recording", "model", "options", "message"),
    [
        (iq(), mel(), {"sample_rate_hz": 48_000.0}, "sample_rate_hz: this model takes 192000, got 48000"),
        (
            iq(),
            iq_model(),
            {"sample_rate_hz": 48_000.5},
            "sample_rate_hz: this model takes 48000, got 48000.5",
        ),
        (
            features(12),
            TENSOR,
            {"sample_rate_hz": 1.0},
            "sample_rate_hz: got 1, but this model's contract has no sample rate to compare it with",
        ),
        (iq(2), mel(), {}, "iq_data: 2 receivers; this model takes 3, or 1 that is repeated"),
        (iq(1), mel(one_receiver="refuse"), {}, "iq_data: 1 receiver; this model takes 3"),
        (iq(4), iq_model(), {}, "iq_data: 4 receivers; this model takes 3, or 1 that is repeated"),
        (iq(samples=63), mel(), {}, "iq_data: 63 samples per receiver; this model takes at least 64"),
        (iq(samples=63), iq_model(64), {}, "iq_data: 63 samples per receiver; this model takes exactly 64"),
        (iq(), TENSOR, {}, "iq_data: this model takes its input tensor: send `features`, or a float32 array"),
        (features(3, 4, 6), mel(), {}, "features: shape (3, 4, 6); this model takes (3, 4, 5)"),
        (features(61), mel(), {}, "features: shape (61); this model takes (3, 4, 5)"),
        (features(4, 5), mel(), {}, "features: shape (4, 5); this model takes (3, 4, 5)"),
        (features(3, 9, 3), iq_model(), {}, "features: shape (3, 9, 3); this model takes (3, any, 2)"),
        (features(7), TENSOR, {}, "features: shape (7); this model takes (2, any)"),
        (
            iq(),
            mel(),
            {"receiver_ids": ("a", "b", "c")},
            "receiver_ids: this model's contract does not name its receivers",
        ),
        (
            iq(),
            mel(NAMED),
            {"receiver_ids": ("TO", "XX", "MI")},
            "receiver_ids: unknown: XX; this model's receivers are TO, GE, MI",
        ),
        (
            iq(2),
            mel(NAMED),
            {"receiver_ids": ("TO", "MI")},
            "receiver_ids: missing: GE; this model's receivers are TO, GE, MI",
        ),
        (
            iq(1),
            mel(NAMED),
            {"receiver_ids": ("TO", "GE", "MI")},
            "iq_data: 1 receiver, but receiver_ids names 3",
        ),
        (
            features(12),
            TENSOR,
            {"receiver_ids": ("TO",)},
            "receiver_ids: this model takes its input tensor, without named receivers",
        ),
    ],
)
def test_what_the_contract_does_not_allow_is_refused_with_both_values(
    recording: Recording, model: ModelContract, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        run(recording, model, 2, -1, **options)
    assert caught.value.detail == message


def test_a_flat_tensor_cannot_fill_two_dynamic_axes() -> None:
    with pytest.raises(InvalidInput, match=r"shape \(12\); this model takes \(any, any\)"):
        run(features(12), TENSOR, -1, -1)
