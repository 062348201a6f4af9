"""Our own MLflow."""

import importlib.metadata
from pathlib import Path

import pytest

from stack.mlflow_server import WEBHOOK_KEY, mlflow_part
from stack.part import CannotStart, http_ok


def test_it_serves_on_loopback(mlflow_uri: str) -> None:
    assert mlflow_uri.startswith("http://127.0.0.1:")
    assert http_ok(int(mlflow_uri.rpartition(":")[2]), "/health")


def test_state_stays_in_the_home(tmp_path: Path) -> None:
    command = mlflow_part(tmp_path, 5000).command
    paths = [word for word in command if str(tmp_path) in word]
    assert paths == [f"sqlite:///{tmp_path}/mlflow/mlflow.db", f"{tmp_path}/mlflow/artifacts"]


def test_webhook_secrets_can_be_read_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WEBHOOK_KEY, raising=False)
    first = mlflow_part(tmp_path, 5000).environment[WEBHOOK_KEY]
    assert mlflow_part(tmp_path, 5000).environment[WEBHOOK_KEY] == first
    assert (tmp_path / "mlflow" / "webhook.key").stat().st_mode & 0o077 == 0
    assert mlflow_part(tmp_path / "other", 5000).environment[WEBHOOK_KEY] != first


def test_a_webhook_key_of_the_users_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEBHOOK_KEY, "theirs")
    assert mlflow_part(tmp_path, 5000).environment[WEBHOOK_KEY] == "theirs"


def test_without_the_full_mlflow_the_user_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(CannotStart, match=r"fixgate\[stack\]"):
        mlflow_part(tmp_path, 5000)
