"""sync as a process: it starts whatever is missing, says what is wrong, and ends as it should."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.folder_lock import FolderLock
from tests import launch

pytestmark = pytest.mark.stack


def environment(folder: Path, **options: str) -> dict[str, str]:
    """Nothing that sync needs is up."""
    return {
        **os.environ,
        "FIXGATE_HOME": str(folder / "home"),
        "FIXGATE_MODEL_REPOSITORY": str(folder / "models"),
        "FIXGATE_MLFLOW_URI": "http://127.0.0.1:1",
        "FIXGATE_REDIS_URL": "redis://127.0.0.1:1",
        "FIXGATE_TRITON_HTTP": "127.0.0.1:1",
        "FIXGATE_SYNC_PORT": str(launch.free_ports(1)[0]),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        **options,
    }


@contextlib.contextmanager
def running(variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sync"], env=variables, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def once(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", "sync", *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def wait_for(variables: dict[str, str], path: str, code: int, holds: Any = None) -> Any:
    """Ask sync's port until it answers with this status, and with a document for which something holds."""
    deadline = time.monotonic() + 60
    url = f"http://127.0.0.1:{variables['FIXGATE_SYNC_PORT']}{path}"
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, body = error.code, error.read()
        except OSError:
            continue
        document = json.loads(body)
        if status == code and (holds is None or holds(document)):
            return document
    pytest.fail(f"{url} never answered as it should")


def test_sync_starts_without_anything_it_needs_says_what_is_missing_and_ends_on_a_signal(
    tmp_path: Path,
) -> None:
    variables = environment(tmp_path, FIXGATE_PROT="x")
    with running(variables) as process:
        wait_for(variables, "/health", 200)
        problem = wait_for(
            variables, "/ready", 503, lambda document: "registry" in (document["problem"] or "")
        )
        assert not problem["ready"]
        status = wait_for(variables, "/status", 200, lambda document: document.get("problems"))
        assert any("Triton at 127.0.0.1:1" in one for one in status["problems"])
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "FIXGATE_PROT is no option of fixgate" in errors


@pytest.mark.parametrize("level", ["info", "debug"])
def test_every_line_of_the_log_is_json(tmp_path: Path, level: str) -> None:
    """While everything that can be complained of is away."""
    variables = environment(tmp_path, FIXGATE_PROT="x", FIXGATE_LOG_LEVEL=level)
    with running(variables) as process:
        wait_for(variables, "/ready", 503, lambda document: "registry" in (document["problem"] or ""))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    lines = [json.loads(line) for line in errors.splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert any("FIXGATE_PROT is no option" in line["message"] for line in lines)


def test_a_hangup_signal_brings_a_pass_long_before_the_next_is_due(tmp_path: Path) -> None:
    variables = environment(tmp_path, FIXGATE_POLL_S="3600")

    def passes() -> float:
        url = f"http://127.0.0.1:{variables['FIXGATE_SYNC_PORT']}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("fixgate_sync_passes_total"))

    with running(variables) as process:
        wait_for(variables, "/ready", 503, lambda document: "registry" in (document["problem"] or ""))
        before = passes()
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while passes() == before:
            assert time.monotonic() < deadline


def test_a_second_sync_on_a_repository_waits_and_takes_over(tmp_path: Path) -> None:
    variables = environment(tmp_path)
    (tmp_path / "models").mkdir()
    first = FolderLock(tmp_path / "models", tmp_path)
    assert first.acquire()
    with running(variables) as process:
        assert process.stderr is not None
        assert any("another sync has" in line for line in process.stderr)
        first.release()
        wait_for(variables, "/status", 200, lambda document: document.get("last_pass"))


def test_a_second_sync_that_is_to_run_once_ends_with_a_message(tmp_path: Path) -> None:
    variables = environment(tmp_path)
    (tmp_path / "models").mkdir()
    first = FolderLock(tmp_path / "models", tmp_path)
    assert first.acquire()
    ended = once(variables, "--once")
    first.release()
    assert ended.returncode == 1
    assert "another sync has" in ended.stderr


def test_once_without_a_registry_ends_with_a_status_that_says_so(tmp_path: Path) -> None:
    ended = once(environment(tmp_path), "--once")
    assert ended.returncode == 1
    assert "reading the registry" in ended.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"FIXGATE_POLL_S": "soon"}, "FIXGATE_POLL_S"),
        ({"FIXGATE_STAGING": "models/staging"}, "must not be inside"),
    ],
)
def test_a_wrong_option_ends_sync_with_its_name(tmp_path: Path, options: dict[str, str], said: str) -> None:
    given = {name: value.replace("models", str(tmp_path / "models")) for name, value in options.items()}
    ended = once(environment(tmp_path, **given), "--once")
    assert ended.returncode == 2
    assert said in ended.stderr


def test_a_taken_port_ends_sync_with_the_options_name(tmp_path: Path) -> None:
    variables = environment(tmp_path)
    with running(variables) as process:
        wait_for(variables, "/health", 200)
        ended = once({**variables, "FIXGATE_HOME": str(tmp_path / "other")})
        process.terminate()
        process.communicate(timeout=30)
    assert ended.returncode == 2
    assert "FIXGATE_SYNC_PORT" in ended.stderr
