"""Contract and graph agree, or the version is refused with a reason."""

import copy
import json
from typing import Any

import pytest

from contract import model as contracts
from contract.catalog import TensorSpec
from contract.model import TensorInput
from sync import agreement
from sync.errors import Refused
from tests.sync.makers import INPUTS, OUTPUTS
from tests.sync.models import CONTRACT

IQ = {
    **CONTRACT,
    "input": {"tensor": "iq", "kind": "iq", "receivers": 3, "samples": None, "sample_rate_hz": 192_000},
}


def changed(**output: Any) -> dict[str, Any]:
    document = copy.deepcopy(CONTRACT)
    document["output"]["uncertainty"].update(output)
    return document


def effective(
    version: dict[str, str], metadata: dict[str, Any] | None, model: dict[str, str]
) -> contracts.ModelContract:
    return agreement.effective(version, metadata, model, INPUTS, OUTPUTS)


def test_the_versions_tag_comes_before_metadata_and_metadata_before_the_models_tag() -> None:
    by_version = json.dumps(changed(sigma_scale=2))
    by_model = json.dumps(changed(sigma_scale=4))
    metadata = changed(sigma_scale=3)
    tag = {"fixgate.contract": by_version}
    assert effective(tag, metadata, {"fixgate.contract": by_model}).output.uncertainty.sigma_scale == 2
    assert effective({}, metadata, {"fixgate.contract": by_model}).output.uncertainty.sigma_scale == 3
    assert effective({}, None, {"fixgate.contract": by_model}).output.uncertainty.sigma_scale == 4


def test_without_any_contract_it_is_inferred() -> None:
    assert isinstance(effective({}, None, {}).input, TensorInput)


def test_what_cannot_be_inferred_is_refused() -> None:
    with pytest.raises(Refused, match="none can be inferred") as refused:
        agreement.effective({}, None, {}, INPUTS, (TensorSpec("logits", "FP32", (10,)),))
    assert refused.value.fault == "contract"


@pytest.mark.parametrize(
    ("version", "metadata", "where"),
    [
        ({"fixgate.contract": "{"}, None, "version tag fixgate.contract"),
        ({}, {"schema": 9}, "MLmodel metadata.fixgate"),
    ],
)
def test_a_faulty_contract_is_refused_and_where_it_stands_is_said(
    version: dict[str, str], metadata: dict[str, Any] | None, where: str
) -> None:
    with pytest.raises(Refused, match=where):
        effective(version, metadata, {})


def test_a_graph_that_fits_its_contract_passes() -> None:
    agreement.check(contracts.parse(CONTRACT), INPUTS, OUTPUTS)
    agreement.check(contracts.parse(IQ), (TensorSpec("iq", "FP32", (3, -1, 2)),), OUTPUTS)


def test_axes_that_the_graph_leaves_open_fit_any_contract() -> None:
    loose = (TensorSpec("mel_spectrogram", "FP32", (-1, -1, -1)),)
    agreement.check(contracts.parse(CONTRACT), loose, (TensorSpec("positions", "FP64", (-1,)), OUTPUTS[1]))


@pytest.mark.parametrize(
    ("inputs", "outputs", "said"),
    [
        ((TensorSpec("x", "FP32", (3, 8, 4)),), OUTPUTS, "no input 'mel_spectrogram'"),
        ((*INPUTS, TensorSpec("length", "INT64", (1,))), OUTPUTS, "takes 'mel_spectrogram' alone"),
        ((TensorSpec("mel_spectrogram", "FP16", (3, 8, 4)),), OUTPUTS, "is FP16, must be FP32"),
        ((TensorSpec("mel_spectrogram", "FP32", (2, 8, 4)),), OUTPUTS, r"the graph wants \(N, 2, 8, 4\)"),
        ((TensorSpec("mel_spectrogram", "FP32", (96,)),), OUTPUTS, r"the graph wants \(N, 96\)"),
        (INPUTS, OUTPUTS[:1], "no output 'uncertainties'"),
        (INPUTS, (TensorSpec("positions", "INT64", (2,)), OUTPUTS[1]), "is INT64"),
        (INPUTS, (TensorSpec("positions", "FP32", (3,)), OUTPUTS[1]), r"must be \(N, 2\)"),
        (INPUTS, (OUTPUTS[0], TensorSpec("uncertainties", "FP32", (2, 2))), r"must be \(N, 2\)"),
    ],
)
def test_a_graph_that_does_not_fit_is_refused(
    inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], said: str
) -> None:
    with pytest.raises(Refused, match=said) as refused:
        agreement.check(contracts.parse(CONTRACT), inputs, outputs)
    assert refused.value.fault == "contract"


def test_the_uncertaintys_width_follows_its_kind() -> None:
    contract = contracts.parse(changed(kind="covariance"))
    with pytest.raises(Refused, match=r"must be \(N, 3\)"):
        agreement.check(contract, INPUTS, OUTPUTS)


def test_the_sigma_scale_tag_replaces_the_contracts() -> None:
    contract = contracts.parse(changed(sigma_scale=3))
    assert agreement.sigma_scale({}, contract) == 3
    assert agreement.sigma_scale({"fixgate.sigma_scale": "1.5"}, contract) == 1.5


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1001", "two"])
def test_an_impossible_sigma_scale_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"fixgate\.sigma_scale"):
        agreement.sigma_scale({"fixgate.sigma_scale": text}, contracts.parse(CONTRACT))


def test_a_version_with_more_outputs_fits_the_config_in_place() -> None:
    agreement.compatible((INPUTS, OUTPUTS), INPUTS, (*OUTPUTS, TensorSpec("extra", "FP32", (5,))))


@pytest.mark.parametrize(
    ("inputs", "outputs", "said"),
    [
        ((TensorSpec("mel_spectrogram", "FP32", (3, 16, 4)),), OUTPUTS, "input 'mel_spectrogram' is FP32"),
        (INPUTS, OUTPUTS[:1], "output 'uncertainties' is not there"),
        ((*INPUTS, TensorSpec("more", "FP32", (1,))), OUTPUTS, "register it under another name"),
    ],
)
def test_a_version_that_does_not_fit_the_config_in_place_is_refused_with_what_to_do(
    inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], said: str
) -> None:
    with pytest.raises(Refused, match=said) as refused:
        agreement.compatible((INPUTS, OUTPUTS), inputs, outputs)
    assert refused.value.fault == "interface"
    assert "another name" in refused.value.reason
