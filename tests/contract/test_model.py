"""The model contract: what is accepted, what is refused, and that the refusal names the key."""

import copy
import json
from typing import Any

import pytest

from contract import model

MEL: dict[str, Any] = {
    "schema": 1,
    "input": {
        "tensor": "mel_spectrogram",
        "kind": "mel",
        "receivers": 3,
        "one_receiver": "repeat",
        "frontend": {
            "sample_rate_hz": 192000,
            "signal": "magnitude",
            "n_fft": 2048,
            "hop": 512,
            "window": "hann",
            "n_mels": 128,
            "f_min_hz": 0,
            "f_max_hz": 96000,
            "log": "db",
            "floor": 1e-9,
            "normalize": "receiver",
            "frames": 32,
        },
    },
    "output": {
        "position": {"tensor": "positions", "order": ["latitude", "longitude"]},
        "uncertainty": {
            "tensor": "uncertainties",
            "kind": "sigma",
            "units": "degrees",
            "order": ["north", "east"],
        },
        "confidence_radius_m": 1000,
    },
}
IQ: dict[str, Any] = {
    **MEL,
    "input": {"tensor": "iq", "kind": "iq", "receivers": 2, "samples": None, "sample_rate_hz": 1e6},
}
TENSOR: dict[str, Any] = {**MEL, "input": {"tensor": "x", "kind": "tensor"}}


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `document` with one key set."""
    copied = copy.deepcopy(document)
    *parents, last = path.split(".")
    target = copied
    for key in parents:
        target = target[key]
    target[last] = value
    return copied


@pytest.mark.parametrize("document", [MEL, IQ, TENSOR], ids=["mel", "iq", "tensor"])
def test_a_contract_survives_dump_and_parse(document: dict[str, Any]) -> None:
    contract = model.parse(document)
    assert model.parse(model.dump(contract)) == contract
    assert model.parse(json.dumps(document)) == contract


def test_the_preset_is_the_documented_front_end() -> None:
    assert model.parse(changed(MEL, "input.frontend", "heimdall")) == model.parse(MEL)


def test_what_may_be_left_out_has_the_documented_default() -> None:
    document = copy.deepcopy(MEL)
    del document["input"]["one_receiver"]
    del document["output"]["confidence_radius_m"]
    contract = model.parse(document)
    assert isinstance(contract.input, model.MelInput)
    assert contract.input.one_receiver == "repeat"
    assert contract.output.confidence_radius_m == 1000
    assert contract.output.uncertainty.sigma_scale == 1


@pytest.mark.parametrize(
    ("document", "path", "value", "key"),
    [
        (MEL, "schema", 2, "schema"),
        (MEL, "nonsense", 1, "nonsense"),
        (MEL, "input.kind", "audio", "input.kind"),
        (MEL, "input.nonsense", 1, "nonsense"),
        (MEL, "input.tensor", "", "input.tensor"),
        (MEL, "input.receivers", 0, "input.receivers"),
        (MEL, "input.receivers", [], "input.receivers"),
        (MEL, "input.receivers", [{"id": "a"}, {"id": "a"}], "input.receivers"),
        (MEL, "input.receivers", [{"id": "a", "latitude": 91}], "input.receivers"),
        (MEL, "input.one_receiver", "copy", "input.one_receiver"),
        (MEL, "input.frontend", "audio", "input.frontend"),
        (MEL, "input.frontend.n_fft", "2048", "input.frontend.n_fft"),
        (MEL, "input.frontend.window", "kaiser", "input.frontend.window"),
        (MEL, "input.frontend.hop", 4096, "input.frontend.hop"),
        (MEL, "input.frontend.f_max_hz", 96001, "input.frontend.f_max_hz"),
        (MEL, "input.frontend.f_min_hz", 96000, "input.frontend.f_max_hz"),
        (MEL, "input.frontend.floor", 0, "input.frontend.floor"),
        (MEL, "input.samples", 5, "samples"),
        (IQ, "input.frontend", "heimdall", "frontend"),
        (IQ, "input.samples", 0, "input.samples"),
        (TENSOR, "input.receivers", 3, "receivers"),
        (MEL, "output.position.order", ["latitude", "latitude"], "output.position.order"),
        (MEL, "output.position.order", ["latitude"], "output.position.order"),
        (MEL, "output.position.tensor", "uncertainties", "output.uncertainty.tensor"),
        (MEL, "output.uncertainty.order", ["east", "east"], "output.uncertainty.order"),
        (MEL, "output.uncertainty.kind", "std", "output.uncertainty.kind"),
        (MEL, "output.uncertainty.units", "feet", "output.uncertainty.units"),
        (MEL, "output.uncertainty.sigma_scale", 0, "output.uncertainty.sigma_scale"),
        (MEL, "output.confidence_radius_m", -1, "output.confidence_radius_m"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_key(
    document: dict[str, Any], path: str, value: Any, key: str
) -> None:
    with pytest.raises(model.ContractError, match=key.replace(".", r"\.")):
        model.parse(changed(document, path, value))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": 1}', b"\xff", "[" * 100_000])
def test_what_is_no_contract_at_all_is_refused(text: str | bytes) -> None:
    with pytest.raises(model.ContractError):
        model.parse(text)


def test_f_max_reaches_the_sample_rate_for_a_two_sided_signal() -> None:
    document = changed(changed(MEL, "input.frontend.signal", "complex"), "input.frontend.f_max_hz", 192000)
    assert model.parse(document).sample_rate_hz == 192000


def test_the_digest_tells_contracts_apart_and_ignores_the_order_of_keys() -> None:
    shuffled = dict(reversed(MEL.items()))
    assert model.parse(shuffled).digest == model.parse(MEL).digest
    assert model.parse(changed(MEL, "input.frontend.f_min_hz", 0.0)).digest == model.parse(MEL).digest
    assert model.parse(changed(MEL, "input.frontend.hop", 256)).digest != model.parse(MEL).digest


def test_receivers_are_known_by_count_or_by_id_in_tensor_order() -> None:
    assert model.parse(MEL).receiver_count == 3
    assert model.parse(MEL).receiver_ids == ()
    named = model.parse(changed(MEL, "input.receivers", [{"id": "b"}, {"id": "a", "latitude": 45.0}]))
    assert named.receiver_count == 2
    assert named.receiver_ids == ("b", "a")
    assert model.parse(TENSOR).receiver_count is None
    assert model.parse(TENSOR).receiver_ids == ()


def test_the_sample_rate_is_the_front_ends_or_the_inputs() -> None:
    assert model.parse(MEL).sample_rate_hz == 192000
    assert model.parse(IQ).sample_rate_hz == 1e6
    assert model.parse(TENSOR).sample_rate_hz is None


@pytest.mark.parametrize(("kind", "width"), [("sigma", 2), ("sigma_rho", 3), ("covariance", 3)])
def test_the_uncertainty_has_two_or_three_values_a_row(kind: str, width: int) -> None:
    assert model.parse(changed(MEL, "output.uncertainty.kind", kind)).output.uncertainty.width == width


def test_a_contract_is_inferred_where_the_graph_leaves_no_doubt() -> None:
    inferred = model.infer({"x": "float"}, {"positions", "uncertainties"})
    assert inferred == model.parse(TENSOR)


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ({"x": "float", "y": "float"}, {"positions", "uncertainties"}),
        ({"x": "int64"}, {"positions", "uncertainties"}),
        ({"x": "float"}, {"positions"}),
        ({}, {"positions", "uncertainties"}),
    ],
)
def test_no_contract_is_inferred_from_a_graph_that_leaves_doubt(
    inputs: dict[str, str], outputs: set[str]
) -> None:
    with pytest.raises(model.ContractError, match="exactly one float32 input"):
        model.infer(inputs, outputs)
