"""`fixgate evaluate` against a real gateway, Triton and MLflow; the echo model answers what it is told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner, Result

from cli.evaluation.judge import in_first_half
from cli.main import app
from tests.cli.conftest import ECHO, ECHO_SCALE, Run
from tests.cli.evaluation.sets import drawn
from tests.gateway import stand
from tests.launch import free_ports

pytestmark = pytest.mark.stack

COUNT = 400


def labelled_folder(folder: Path, off_by: float, seed: int = 5) -> Path:
    """A set whose truths lie `off_by` times as far out as the gateway will say."""
    answers, truths = drawn(COUNT, off_by * ECHO_SCALE, seed)
    folder.mkdir()
    np.save(folder / "features.npy", answers)
    np.save(folder / "truth.npy", truths)
    return folder


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a calibrated model would be."""
    return labelled_folder(tmp_path_factory.mktemp("sets") / "honest", 1.0)


@pytest.fixture(scope="module")
def boastful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that states half of its σ."""
    return labelled_folder(tmp_path_factory.mktemp("sets") / "boastful", 2.0)


@pytest.fixture(scope="module")
def registered(mlflow_uri: str) -> MlflowClient:
    """The echo model's version 1, with a run, in MLflow."""
    client = MlflowClient(tracking_uri=mlflow_uri, registry_uri=mlflow_uri)
    run = client.create_run("0")
    client.set_terminated(run.info.run_id)
    client.create_registered_model(ECHO)
    client.create_model_version(ECHO, f"{run.info.artifact_uri}/model", run.info.run_id)
    return client


def evaluate(run: Run, data: Path, *arguments: object) -> Result:
    """Of the echo model."""
    return run("evaluate", ECHO, "--version", 1, "--data", data, *arguments)


def figures(result: Result) -> dict[str, Any]:
    """What --json printed."""
    document = json.loads(result.stdout)
    assert isinstance(document, dict)
    return document


def test_a_calibrated_version_passes(run: Run, honest: Path) -> None:
    result = evaluate(run, honest, "--json")
    assert result.exit_code == 0, result.output
    told = figures(result)
    assert told["calibrated"] is True
    assert (told["model"], told["version"], told["recordings"], told["failed"]) == (ECHO, 1, COUNT, 0)
    assert told["sigma_scale"] == ECHO_SCALE
    assert told["nees"] == pytest.approx(2, abs=0.4)
    assert sum(region["recordings"] for region in told["regions"].values()) == COUNT


def test_a_version_that_understates_fails_and_says_where(run: Run, boastful: Path) -> None:
    result = evaluate(run, boastful)
    assert result.exit_code == 1
    assert "not calibrated" in result.stdout
    assert "off: the 95% ellipse holds " in result.stdout
    assert result.stdout.splitlines()[1].split()[:2] == ["all", str(COUNT)]


def test_the_answers_are_those_of_the_real_path(run: Run, honest: Path, tmp_path: Path) -> None:
    """The same recordings as files, through another form, give the same figures."""
    answers, truths = np.load(honest / "features.npy")[:12], np.load(honest / "truth.npy")[:12]
    for index, row in enumerate(answers):
        np.save(tmp_path / f"{index:02d}.npy", row)
    labels = {f"{index:02d}": place for index, place in enumerate(truths.tolist())}
    (tmp_path / "truth.json").write_text(json.dumps(labels))
    np.savez(tmp_path / "few.npz", features=answers, truth=truths)
    from_files, from_archive = (
        figures(evaluate(run, data, "--json")) for data in (tmp_path, tmp_path / "few.npz")
    )
    assert from_files["error_m"] == from_archive["error_m"]
    assert from_files["nees"] == from_archive["nees"]


def test_a_fitted_scale_is_judged_on_the_other_half_and_applied(
    run: Run, boastful: Path, registered: MlflowClient, mlflow_uri: str, tmp_path: Path
) -> None:
    arguments = ("--fit-scale", "--apply", "--log", "--mlflow-uri", mlflow_uri, "--json")
    result = evaluate(run, boastful, *arguments, "--report", tmp_path / "report")
    assert result.exit_code == 0, result.output
    told = figures(result)
    assert told["applied"] is True
    assert told["sigma_scale"] == pytest.approx(2 * ECHO_SCALE, rel=0.1)
    assert told["fit"]["fitted_on"] + told["recordings"] == COUNT
    assert told["fit"]["worst_miss_after"] < 0.1 < told["fit"]["worst_miss_before"]
    version = registered.get_model_version(ECHO, "1")
    assert float(version.tags["fixgate.sigma_scale"]) == told["sigma_scale"]
    assert json.loads(version.tags["fixgate.evaluation"])["calibrated"] is True
    run_id = str(version.run_id)
    logged = registered.get_run(run_id).data.metrics
    assert logged["fixgate/sigma_scale"] == told["sigma_scale"]
    assert logged["fixgate/coverage_95"] == told["coverage"][3]["share"]
    artifacts = registered.list_artifacts(run_id, "fixgate/evaluation")
    files = {path.name for path in (tmp_path / "report").iterdir()}
    assert {Path(one.path).name for one in artifacts} == files
    assert "reliability.png" in files


def test_a_scale_that_the_other_half_contradicts_is_not_applied(
    run: Run, registered: MlflowClient, mlflow_uri: str, tmp_path: Path
) -> None:
    names = np.array([f"s{index}" for index in range(COUNT)])
    seen = np.array([in_first_half(name) for name in names])
    answers, truths = drawn(COUNT, ECHO_SCALE)
    _, further = drawn(COUNT, 3 * ECHO_SCALE)
    np.savez(
        tmp_path / "set.npz", features=answers, truth=np.where(seen[:, None], further, truths), session=names
    )
    before = registered.get_model_version(ECHO, "1").tags
    result = evaluate(
        run, tmp_path / "set.npz", "--fit-scale", "--apply", "--json", "--mlflow-uri", mlflow_uri
    )
    assert result.exit_code == 1
    assert figures(result)["applied"] is False
    assert "not applied" in result.stderr
    assert registered.get_model_version(ECHO, "1").tags == before


def test_nothing_is_written_without_being_asked_for(
    run: Run, honest: Path, registered: MlflowClient, mlflow_uri: str
) -> None:
    before = registered.get_model_version(ECHO, "1").tags
    evaluate(run, honest, "--fit-scale", "--mlflow-uri", mlflow_uri)
    assert registered.get_model_version(ECHO, "1").tags == before


def test_recordings_that_the_model_cannot_answer_are_counted_not_hidden(
    run: Run, honest: Path, tmp_path: Path
) -> None:
    answers, truths = np.load(honest / "features.npy")[:50], np.load(honest / "truth.npy")[:50]
    answers[7, 2] = -1
    answers[8, 0] = 95
    np.savez(tmp_path / "set.npz", features=answers, truth=truths)
    told = figures(evaluate(run, tmp_path / "set.npz", "--json"))
    assert (told["recordings"], told["failed"]) == (48, 2)
    assert any("σ north is -1" in reason and "(502)" in reason for reason in told["failures"])


def test_what_keeps_it_from_being_evaluated_is_status_2(run: Run, honest: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, features=np.zeros((3, 4), np.float32), truth=np.zeros((3, 2)))
    for arguments, told in (
        ((ECHO, "--version", 9, "--data", honest), "(404)"),
        (("nonsense", "--version", 1, "--data", honest), "(404)"),
        ((ECHO, "--version", 1, "--data", tmp_path), "neither truth.json nor truth.npy"),
        ((ECHO, "--version", 1, "--data", wrong), "none of 3 recordings got an answer"),
    ):
        result = run("evaluate", *arguments)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert result.stderr.startswith("fixgate evaluate: ")
        assert told in result.stderr


def test_no_mlflow_is_status_2_and_says_so(run: Run, honest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    result = evaluate(run, honest, "--log", "--mlflow-uri", f"http://127.0.0.1:{free_ports(1)[0]}")
    assert result.exit_code == 2
    assert "logging the evaluation of cli-echo version 1" in result.stderr


def test_no_gateway_is_status_2(honest: Path) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    arguments = ["evaluate", "m", "--version", "1", "--data", str(honest), "--url", url]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "no gateway answers" in result.stderr


def test_apply_needs_a_fit(honest: Path) -> None:
    arguments = ["evaluate", "m", "--version", "1", "--data", str(honest), "--apply"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "--fit-scale" in result.stderr


def test_iq_is_evaluated_too(run: Run, tmp_path: Path) -> None:
    recordings = np.stack([stand.iq(seed) for seed in range(5)])
    np.savez(tmp_path / "iq.npz", iq=recordings, truth=np.tile([45.0, 9.0], (5, 1)))
    result = run("evaluate", "cli-mel", "--version", 1, "--data", tmp_path / "iq.npz", "--json")
    assert figures(result)["recordings"] == 5
