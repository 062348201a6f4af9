"""`fixgate plan`."""

import json
import uuid
from pathlib import Path

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from cli.main import app

pytestmark = pytest.mark.stack

RUN = CliRunner()


@pytest.fixture
def variables(tmp_path: Path, mlflow_uri: str, empty_redis: str) -> dict[str, str]:
    (tmp_path / "models").mkdir()
    return {
        "FIXGATE_HOME": str(tmp_path / "home"),
        "FIXGATE_MODEL_REPOSITORY": str(tmp_path / "models"),
        "FIXGATE_MLFLOW_URI": mlflow_uri,
        "FIXGATE_REDIS_URL": empty_redis,
        "FIXGATE_TRITON_HTTP": "127.0.0.1:1",
        "FIXGATE_MODELS": f"plan-{uuid.uuid4().hex[:8]}",
        "COLUMNS": "200",
    }


def register(variables: dict[str, str]) -> None:
    uri = variables["FIXGATE_MLFLOW_URI"]
    client = MlflowClient(uri, uri)
    run = client.create_run("0")
    client.create_registered_model(variables["FIXGATE_MODELS"])
    client.create_model_version(
        variables["FIXGATE_MODELS"], f"{run.info.artifact_uri}/model", run.info.run_id
    )
    client.set_registered_model_alias(variables["FIXGATE_MODELS"], "champion", "1")


def test_a_difference_is_shown_and_ends_with_status_2(variables: dict[str, str]) -> None:
    register(variables)
    ended = RUN.invoke(app, ["plan"], env=variables)
    assert ended.exit_code == 2, ended.output
    assert "fetch, prove, publish" in ended.output
    assert "alias champion" in ended.output
    assert list(Path(variables["FIXGATE_MODEL_REPOSITORY"]).iterdir()) == []


def test_json_is_for_programs(variables: dict[str, str]) -> None:
    register(variables)
    ended = RUN.invoke(app, ["plan", "--json"], env=variables)
    (difference,) = json.loads(ended.output)["differences"]
    assert (difference["version"], difference["what"]) == (1, "fetch, prove, publish")


def test_no_difference_ends_with_status_0(variables: dict[str, str]) -> None:
    ended = RUN.invoke(app, ["plan"], env=variables)
    assert ended.exit_code == 0
    assert "what is served is what the registry wants" in ended.output


@pytest.mark.parametrize(
    "broken",
    [
        {"FIXGATE_MLFLOW_URI": "http://127.0.0.1:1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
        {"FIXGATE_MODEL_REPOSITORY": "/nowhere"},
        {"FIXGATE_KEEP": "many"},
    ],
)
def test_what_cannot_be_read_ends_with_status_1(variables: dict[str, str], broken: dict[str, str]) -> None:
    assert RUN.invoke(app, ["plan"], env={**variables, **broken}).exit_code == 1
