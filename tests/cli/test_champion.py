"""`fixgate promote` and `fixgate rollback`."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from cli.main import app
from contract import rollout

pytestmark = pytest.mark.stack

RUN = CliRunner()


@pytest.fixture
def client(mlflow_uri: str) -> MlflowClient:
    return MlflowClient(mlflow_uri, mlflow_uri)


@pytest.fixture
def name(client: MlflowClient) -> str:
    """A model with three versions, the third the champion, the first its predecessor."""
    name = f"champion-{uuid.uuid4().hex[:8]}"
    run = client.create_run("0")
    client.create_registered_model(name, tags={"fixgate.champions": "3,1"})
    for _ in range(3):
        client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias(name, "champion", "3")
    return name


@pytest.fixture
def champion(client: MlflowClient, name: str) -> Callable[[], str]:
    return lambda: str(client.get_model_version_by_alias(name, "champion").version)


def test_a_rollback_goes_to_the_champion_before(
    name: str, mlflow_uri: str, champion: Callable[[], str]
) -> None:
    ended = RUN.invoke(app, ["rollback", name, "--mlflow-uri", mlflow_uri])
    assert ended.exit_code == 0
    assert f"{name}: champion is version 1 now (before: version 3)" in " ".join(ended.output.split())
    assert champion() == "1"


def test_a_rollback_can_name_its_version(name: str, mlflow_uri: str, champion: Callable[[], str]) -> None:
    assert RUN.invoke(app, ["rollback", name, "--to", "2", "--mlflow-uri", mlflow_uri]).exit_code == 0
    assert champion() == "2"


def test_a_promotion_moves_the_alias(name: str, mlflow_uri: str, champion: Callable[[], str]) -> None:
    assert RUN.invoke(app, ["promote", name, "2", "--mlflow-uri", mlflow_uri]).exit_code == 0
    assert champion() == "2"


def test_the_registry_may_be_named_by_a_secrets_file(
    name: str, mlflow_uri: str, champion: Callable[[], str], tmp_path: Path
) -> None:
    (tmp_path / "uri").write_text(f"{mlflow_uri}\n")
    told = {"FIXGATE_MLFLOW_URI_FILE": str(tmp_path / "uri"), "FIXGATE_MLFLOW_URI": ""}
    assert RUN.invoke(app, ["promote", name, "2"], env=told).exit_code == 0
    assert champion() == "2"


def test_the_candidate_is_promoted_when_no_version_is_named(
    name: str, client: MlflowClient, champion: Callable[[], str]
) -> None:
    client.set_registered_model_alias(name, "candidate", "2")
    assert RUN.invoke(app, ["promote", name, "--mlflow-uri", client.tracking_uri]).exit_code == 0
    assert champion() == "2"


def test_while_a_rollout_is_under_way_the_champion_is_its_own(
    name: str, client: MlflowClient, champion: Callable[[], str]
) -> None:
    under_way = rollout.dump(rollout.Rollout("r", 2, 3, rollout.Plan(), "me", 0.0, phase="running"))
    client.set_registered_model_tag(name, "fixgate.rollout", under_way)
    for arguments in (["promote", name, "1"], ["rollback", name]):
        ended = RUN.invoke(app, [*arguments, "--mlflow-uri", client.tracking_uri])
        assert (ended.exit_code, "rollout" in ended.stderr) == (1, True)
    assert champion() == "3"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["promote", "{name}", "9"], "has no version 9"),
        (["promote", "{name}", "2"], "has rejected"),
        (["promote", "{name}"], "no alias candidate"),
        (["rollback", "nobody"], "no model 'nobody'"),
    ],
)
def test_what_cannot_be_done_leaves_the_alias_where_it_is(
    name: str, client: MlflowClient, champion: Callable[[], str], arguments: list[str], said: str
) -> None:
    client.set_model_version_tag(name, "2", "fixgate.status", "rejected")
    given = [one.replace("{name}", name) for one in arguments]
    ended = RUN.invoke(app, [*given, "--mlflow-uri", client.tracking_uri])
    assert ended.exit_code == 1
    assert said in " ".join(ended.output.split())
    assert champion() == "3"
