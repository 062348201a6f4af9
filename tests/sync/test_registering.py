"""`fixgate register`'s core, against a real MLflow."""

import json
import uuid
from pathlib import Path
from typing import Any

import mlflow.artifacts
import numpy as np
import onnx
import pytest
import yaml
from mlflow import MlflowClient

from sync import mlmodel
from sync.errors import Refused, RegistryUnavailable
from sync.registering import Order, Registered, register
from tests.sync import models

pytestmark = pytest.mark.stack


def order(folder: Path, **fields: Any) -> Order:
    values: dict[str, Any] = {
        "model": models.save(folder / "net.onnx", 1),
        "name": f"registering-{uuid.uuid4().hex[:8]}",
        "contract": models.CONTRACT,
        "max_batch_size": 2,
    }
    return Order(**{**values, **fields})


@pytest.fixture(scope="module")
def example() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(3).normal(size=(1, *models.SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def done(
    tmp_path_factory: pytest.TempPathFactory,
    mlflow_uri: str,
    example: np.ndarray[Any, np.dtype[np.float32]],
) -> Registered:
    folder = tmp_path_factory.mktemp("registering")
    np.save(folder / "example.npy", example)
    return register(
        order(
            folder,
            example=folder / "example.npy",
            aliases=("champion", "best"),
            tags={"team": "rf"},
            metrics={"accuracy": 0.5},
            description="the first",
        ),
        mlflow_uri,
    )


@pytest.fixture(scope="module")
def files(done: Registered, mlflow_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    return Path(
        mlflow.artifacts.download_artifacts(
            artifact_uri=done.source, dst_path=str(folder), tracking_uri=mlflow_uri
        )
    )


def test_a_version_is_registered_with_aliases_tags_metrics_and_description(
    done: Registered, mlflow_uri: str
) -> None:
    client = MlflowClient(mlflow_uri, mlflow_uri)
    version = client.get_model_version_by_alias(done.name, "champion")
    assert (int(version.version), done.version) == (1, 1)
    assert (version.tags, version.description) == ({"team": "rf"}, "the first")
    assert client.get_registered_model(done.name).aliases == {"champion": "1", "best": "1"}
    assert client.get_run(done.run_id).data.metrics == {"accuracy": 0.5}
    assert client.get_run(done.run_id).info.status == "FINISHED"


def test_contract_signature_example_and_expected_outputs_are_logged(
    files: Path, example: np.ndarray[Any, np.dtype[np.float32]]
) -> None:
    package = mlmodel.read(files)
    assert package.contract is not None
    assert package.contract["input"]["tensor"] == "mel_spectrogram"
    document = yaml.safe_load((files / "MLmodel").read_text())
    assert "mel_spectrogram" in document["signature"]["inputs"]
    assert package.example is not None
    logged = json.loads((files / package.example).read_text())
    np.testing.assert_allclose(np.asarray(logged), example, rtol=1e-6)
    assert package.expected is not None
    expected = json.loads((files / package.expected).read_text())
    assert expected["positions"][0] == pytest.approx([45.01, 9.0], abs=0.2)


def test_the_logged_model_is_the_given_one(files: Path) -> None:
    package = mlmodel.read(files)
    logged = onnx.load(files / package.model_file)
    given = models.localiser(1)
    for one, other in zip(logged.graph.initializer, given.graph.initializer, strict=True):
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(one), onnx.numpy_helper.to_array(other))


def test_what_was_registered_is_told(done: Registered) -> None:
    assert [one.name for one in done.outputs] == ["positions", "uncertainties"]
    assert set(done.latency_ms) == {"1", "2"}
    assert done.aliases == ("champion", "best")


def test_a_second_registration_is_the_next_version_with_an_inferred_contract(
    tmp_path: Path, done: Registered, mlflow_uri: str
) -> None:
    again = register(order(tmp_path, name=done.name, contract=None), mlflow_uri)
    assert again.version == done.version + 1
    assert again.contract["input"]["kind"] == "tensor"


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": "../x"}, "name"),
        ({"name": "fixgate-tune-net"}, "name"),
        ({"contract": {"schema": 1}}, "contract"),
        ({"contract": {**models.CONTRACT, "more": 1}}, "contract"),
        ({"tags": {"fixgate.sigma_scale": "many"}}, "contract"),
    ],
)
def test_what_sync_would_refuse_is_not_uploaded(
    tmp_path: Path, mlflow_uri: str, fields: dict[str, Any], fault: str
) -> None:
    wanted = order(tmp_path, **fields)
    with pytest.raises(Refused) as refused:
        register(wanted, mlflow_uri)
    assert refused.value.fault == fault
    client = MlflowClient(mlflow_uri, mlflow_uri)
    assert wanted.name not in {one.name for one in client.search_registered_models(max_results=1000)}


def test_a_broken_model_is_not_uploaded(tmp_path: Path, mlflow_uri: str) -> None:
    (tmp_path / "broken.onnx").write_bytes(models.localiser(width=5).SerializeToString())
    with pytest.raises(Refused, match=r"must be \(N, 2\)"):
        register(order(tmp_path, model=tmp_path / "broken.onnx"), mlflow_uri)


def test_without_a_server_nothing_is_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryUnavailable, match=r"MLflow at http://127\.0\.0\.1:1"):
        register(order(tmp_path), "http://127.0.0.1:1")
