"""`fixgate register`."""

import json
import uuid
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from cli.main import app
from tests.sync import models

pytestmark = pytest.mark.stack

RUN = CliRunner()


@pytest.fixture
def name() -> str:
    return f"cli-register-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.save(tmp_path / "net.onnx", 1)


def test_a_model_is_registered_and_what_was_is_printed(
    name: str, model: Path, tmp_path: Path, mlflow_uri: str
) -> None:
    (tmp_path / "contract.json").write_text(json.dumps(models.CONTRACT))
    np.save(tmp_path / "example.npy", np.zeros(models.SHAPE, np.float32))
    ended = RUN.invoke(
        app,
        [
            *("register", str(model), "--name", name, "--contract", str(tmp_path / "contract.json")),
            *("--example", str(tmp_path / "example.npy"), "--alias", "champion", "--alias", "best"),
            *("--tag", "team=rf", "--metric", "accuracy=0.5", "--description", "the first"),
            *("--max-batch-size", "2", "--mlflow-uri", mlflow_uri),
        ],
    )
    assert ended.exit_code == 0, ended.output
    assert f"Registered {name} version 1" in ended.output
    assert "mel_spectrogram FP32 (N, 3, 8, 4)" in ended.output
    version = MlflowClient(mlflow_uri, mlflow_uri).get_model_version_by_alias(name, "best")
    assert version.tags == {"team": "rf"}


def test_json_is_for_programs(name: str, model: Path, mlflow_uri: str) -> None:
    arguments = ["register", str(model), "--name", name, "--json", "--max-batch-size", "1"]
    ended = RUN.invoke(app, arguments, env={"MLFLOW_TRACKING_URI": mlflow_uri})
    document = json.loads(ended.output)
    assert (document["name"], document["version"], document["contract"]["input"]["kind"]) == (
        name,
        1,
        "tensor",
    )


def test_what_sync_would_refuse_is_refused_here(name: str, tmp_path: Path, mlflow_uri: str) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"rubbish")
    ended = RUN.invoke(
        app, ["register", str(tmp_path / "bad.onnx"), "--name", name, "--mlflow-uri", mlflow_uri]
    )
    assert ended.exit_code == 1
    assert "not registered" in ended.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tag", "team"], "KEY=VALUE"),
        (["--metric", "accuracy=high"], "no number"),
        (["--metric", "loss=nan"], "'nan' is not finite"),
        (["--metric", "loss=-inf"], "'-inf' is not finite"),
        (["--contract", "{file}"], "is not JSON"),
        (["--contract", "{list}"], "must hold an object"),
        (["--example", "/nowhere"], "does not exist"),
    ],
)
def test_wrong_arguments_are_named(
    name: str, model: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "file").write_text("{")
    (tmp_path / "list").write_text("[]")
    given = [
        one.replace("{file}", str(tmp_path / "file")).replace("{list}", str(tmp_path / "list"))
        for one in arguments
    ]
    ended = RUN.invoke(app, ["register", str(model), "--name", name, *given])
    assert ended.exit_code == 2
    assert said in " ".join(ended.output.replace("│", " ").split())
