"""`fixgate up`, as far as it gets without starting anything; the whole stack is in tests/stack/test_up.py."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from stack.options import Options
from tests.launch import free_ports

PORT_OPTIONS = (
    "--port",
    "--sync-port",
    "--triton-http-port",
    "--triton-grpc-port",
    "--triton-metrics-port",
    "--mlflow-port",
    "--redis-port",
)


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """In an empty folder, with no variable of ours set."""
    for name in os.environ:
        if name.startswith(("FIXGATE_", "MLFLOW_", "REDIS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return CliRunner(env={"COLUMNS": "200"})


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


def free() -> list[str]:
    """Free ports for every option."""
    ports = free_ports(len(PORT_OPTIONS))
    return [f"{option}={port}" for option, port in zip(PORT_OPTIONS, ports, strict=True)]


def test_help_names_every_port_with_its_variable_and_default(runner: CliRunner) -> None:
    text = runner.invoke(app, ["up", "--help"]).output
    defaults = ("8080", "8081", "8000", "8001", "8002", "5000", "6380")
    for option, default in zip(PORT_OPTIONS, defaults, strict=True):
        [line] = [line for line in text.splitlines() if f" {option} " in line]
        variable = f"FIXGATE_{option.removeprefix('--').replace('-', '_').upper()}"
        assert f"[env var: {variable}]" in line
        assert f"[default: {default}]" in line


def test_a_taken_port_ends_it_with_what_to_do(runner: CliRunner, taken: int) -> None:
    result = runner.invoke(app, ["up", *free(), f"--mlflow-port={taken}"])
    assert result.exit_code == 1
    assert f"port {taken} (MLflow) is taken" in result.stderr
    assert "--mlflow-port or FIXGATE_MLFLOW_PORT" in result.stderr


def test_a_port_can_come_from_the_environment(runner: CliRunner, taken: int) -> None:
    given = [option for option in free() if not option.startswith("--redis-port")]
    result = runner.invoke(app, ["up", *given], env={"FIXGATE_REDIS_PORT": str(taken)})
    assert f"port {taken} (Redis) is taken" in result.stderr


def test_one_port_for_two_parts_is_refused(runner: CliRunner) -> None:
    [port] = free_ports(1)
    result = runner.invoke(app, ["up", *free(), f"--port={port}", f"--sync-port={port}"])
    assert result.exit_code == 1
    assert result.stderr.count("is given to more than one part") == 2


def test_a_port_out_of_range_is_refused_by_its_option(runner: CliRunner) -> None:
    result = runner.invoke(app, ["up", "--triton-grpc-port=70000"])
    assert result.exit_code == 2
    assert "--triton-grpc-port" in result.stderr


def test_a_redis_that_does_not_answer_ends_it(runner: CliRunner) -> None:
    [port] = free_ports(1)
    result = runner.invoke(app, ["up", *free()], env={"REDIS_URL": f"redis://127.0.0.1:{port}"})
    assert result.exit_code == 1
    assert f"the Redis at redis://127.0.0.1:{port} does not answer" in result.stderr


def test_an_mlflow_that_does_not_answer_ends_it(runner: CliRunner) -> None:
    [port] = free_ports(1)
    result = runner.invoke(app, ["up", *free()], env={"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"})
    assert result.exit_code == 1
    assert f"the MLflow server at http://127.0.0.1:{port} does not answer" in result.stderr


def test_the_demo_goes_only_into_an_mlflow_of_our_own(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Options] = []

    def record(options: Options, console: object) -> int:
        asked.append(options)
        return 0

    monkeypatch.setattr("stack.up.up", record)
    for arguments in (
        [],
        ["--mlflow-uri=http://theirs"],
        ["--mlflow-uri=http://theirs", "--demo"],
        ["--no-demo"],
    ):
        assert runner.invoke(app, ["up", *arguments]).exit_code == 0
    first, theirs, wanted, unwanted = asked
    assert [len(one.register) for one in asked] == [2, 0, 2, 0]
    assert first.first_model == wanted.first_model == "localization"
    assert theirs.first_model == unwanted.first_model == ""
    champion, beside = first.register
    assert "champion" in champion
    assert "champion" not in beside
    assert "fixgate.serve=true" in beside


def test_a_repository_in_object_storage_is_refused(runner: CliRunner) -> None:
    result = runner.invoke(app, ["up", "--model-repository", "s3://models/fixgate"])
    assert result.exit_code == 2
    assert "serves a folder" in result.output
