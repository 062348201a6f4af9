"""Passwords and the webhooks' secret stay where they belong: not in log, answers, metrics, command line."""

import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.gateway.guarded_redis import change_password, guarded_redis, users
from tests.launch import free_ports
from tests.sync.test_service import environment, running, wait_for

PATHS = ("/health", "/ready", "/status", "/metrics", "/nothing")
REDIS, MLFLOW, WEBHOOK = "pa55word-of-redis", "pa55word-of-mlflow", "5ecret-of-webhooks"


def told(url: str) -> str:
    """Whatever comes back."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.headers) + str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return str(error.headers) + str(error.read().decode())


def test_no_secret_is_told_to_anyone(tmp_path: Path) -> None:
    """With everything away, and debug logging: whatever could be tempted to tell."""
    nowhere = f"127.0.0.1:{free_ports(1)[0]}"
    variables = environment(
        tmp_path,
        FIXGATE_REDIS_URL=f"redis://someone:{REDIS}@{nowhere}/0",
        FIXGATE_MLFLOW_URI=f"http://someone:{MLFLOW}@{nowhere}",
        FIXGATE_WEBHOOK_SECRET=WEBHOOK,
        FIXGATE_LOG_LEVEL="debug",
    )
    with running(variables) as process:
        wait_for(variables, "/ready", 503, lambda document: "registry" in (document["problem"] or ""))
        base = f"http://127.0.0.1:{variables['FIXGATE_SYNC_PORT']}"
        answers = [told(base + path) for path in PATHS]
        command = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    for secret in (REDIS, MLFLOW, WEBHOOK):
        assert secret not in command
        assert not any(secret in one for one in answers)
        assert secret not in log
    assert "debug" in log.lower()


@pytest.mark.parametrize("option", ["FIXGATE_REDIS_URL", "REDIS_URL"])
def test_a_url_that_cannot_be_used_is_refused_without_its_password(option: str, tmp_path: Path) -> None:
    variables = environment(tmp_path)
    del variables["FIXGATE_REDIS_URL"]
    with running({**variables, option: f"rediss//x:{REDIS}@nowhere"}) as process:
        _, log = process.communicate(timeout=60)
    assert process.returncode == 2
    assert option in log
    assert REDIS not in log
    assert "Traceback" not in log


@pytest.mark.parametrize("option", ["FIXGATE_REDIS_URL", "FIXGATE_REDIS_URL_FILE"])
def test_the_password_of_a_redis_that_is_used_is_told_to_no_one(option: str, tmp_path: Path) -> None:
    """Nor when Redis takes it no more."""
    with guarded_redis(tmp_path / "redis", REDIS) as url:
        (tmp_path / "url").write_text(f"{url}\n")
        told_how = {"FIXGATE_REDIS_URL": url, "FIXGATE_REDIS_URL_FILE": str(tmp_path / "url")}
        variables = environment(tmp_path, FIXGATE_LOG_LEVEL="debug")
        del variables["FIXGATE_REDIS_URL"]
        variables[option] = told_how[option]
        base = f"http://127.0.0.1:{variables['FIXGATE_SYNC_PORT']}"
        with running(variables) as process:
            wait_for(variables, "/ready", 503, lambda document: "registry" in (document["problem"] or ""))
            wait_for_users(url)
            command = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
            heard = [told(base + path) for path in PATHS]
            change_password(url)
            assert process.stderr is not None
            for line in process.stderr:
                heard.append(line)
                if "commands cannot be read" in line:
                    break
            else:
                pytest.fail("sync has not noticed")
            heard += [told(base + path) for path in PATHS]
            process.send_signal(signal.SIGTERM)
            heard.append(process.communicate(timeout=30)[1])
    assert not [one for one in (command, *heard) if REDIS in one]


def wait_for_users(redis_url: str) -> None:
    """Until somebody else is connected."""
    until = time.monotonic() + 60
    while not users(redis_url):
        assert time.monotonic() < until
