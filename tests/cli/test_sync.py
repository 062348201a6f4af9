"""`fixgate sync`."""

import io
import time
import uuid
from pathlib import Path

import pytest
from mlflow import MlflowClient
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

from cli import downloads
from cli.main import app

RUN = CliRunner()


@pytest.mark.stack
def test_the_webhook_is_registered_once(mlflow_uri: str) -> None:
    url = f"http://127.0.0.1:8081/{uuid.uuid4().hex}"
    environment = {"FIXGATE_MLFLOW_URI": mlflow_uri, "FIXGATE_WEBHOOK_SECRET": "a long secret"}
    arguments = ["sync", "--register-webhook", "--webhook-url", url]
    for _ in range(2):
        ended = RUN.invoke(app, arguments, env=environment)
        assert ended.exit_code == 0, ended.output
    client = MlflowClient(mlflow_uri, mlflow_uri)
    (webhook,) = (one for one in client.list_webhooks() if one.url == url)
    client.delete_webhook(webhook.webhook_id)


def test_without_a_secret_no_webhook_is_registered() -> None:
    ended = RUN.invoke(app, ["sync", "--register-webhook"], env={"FIXGATE_WEBHOOK_SECRET": ""})
    assert ended.exit_code == 2
    assert "FIXGATE_WEBHOOK_SECRET" in ended.output


def test_a_registry_that_is_not_there_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        "FIXGATE_MLFLOW_URI": "http://127.0.0.1:1",
        "FIXGATE_WEBHOOK_SECRET": "a long secret",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    ended = RUN.invoke(app, ["sync", "--register-webhook"], env=environment)
    assert ended.exit_code == 1
    assert "takes no webhook" in " ".join(ended.output.split())


def test_a_wrong_option_ends_with_status_2(tmp_path: Path) -> None:
    ended = RUN.invoke(app, ["sync", "--once"], env={"FIXGATE_POLL_S": "soon"})
    assert ended.exit_code == 2


def test_every_download_has_its_bar_until_it_is_done() -> None:
    progress = Progress(console=Console(file=io.StringIO()), get_time=time.monotonic)
    tasks: dict[tuple[str, int], object] = {}
    downloads.update(progress, tasks, {("loc", 1): (10, 40)})  # type: ignore[arg-type]
    (task,) = progress.tasks
    assert (task.description, task.completed, task.total) == ("loc version 1", 10, 40)
    downloads.update(progress, tasks, {("loc", 1): (30, 40), ("loc", 2): (0, 5)})  # type: ignore[arg-type]
    assert [task.completed for task in progress.tasks] == [30, 0]
    downloads.update(progress, tasks, {})  # type: ignore[arg-type]
    assert progress.tasks == []
