"""Keys and passwords stay where they belong: not in the log, in answers, in /metrics, on the command line."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from gateway.config import Config
from tests.gateway.test_main import environment, running
from tests.gateway.waiting import until
from tests.launch import free_ports

PASSWORD = "pa55word-of-redis"
PATHS = (
    "/health",
    "/health/detailed",
    "/ready",
    "/metrics",
    "/models",
    "/model/info",
    "/openapi.json",
    "/nothing",
)


@pytest.fixture
def key(tmp_path: Path) -> str:
    """A key that may do anything, in a file of keys."""
    made = CliRunner().invoke(
        app, ["keys", "add", "operator", "--scope", "admin", "--file", str(tmp_path / "keys")]
    )
    found = re.search(r"\S{40,}", made.stdout)
    assert found, made.output
    return found[0]


def command_line(pid: int) -> str:
    """As `ps` shows it."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


async def test_no_secret_is_told_to_anyone(alone: Config, key: str, tmp_path: Path) -> None:
    """With Redis away, wrong keys, faults and debug logging: whatever could be tempted to tell."""
    url = f"redis://someone:{PASSWORD}@127.0.0.1:{free_ports(1)[0]}/0"
    options = environment(
        alone,
        FIXGATE_REDIS_URL=url,
        FIXGATE_API_KEYS_FILE=str(tmp_path / "keys"),
        FIXGATE_LOG_LEVEL="debug",
    )
    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    told: list[str] = []
    async with running(options) as gateway:

        async def is_up() -> bool:
            return await gateway.status("/health") == 200

        await until(is_up, within_s=60)
        command = command_line(gateway.process.pid)
        for header in ({}, {"X-API-Key": key}, {"Authorization": f"Bearer {wrong}"}):
            for path in PATHS:
                async with gateway.client.get(path, headers=header) as response:
                    told += [await response.text(), str(response.headers)]
            async with gateway.client.post("/predict", json={"features": []}, headers=header) as response:
                told += [await response.text(), str(response.headers)]
            async with gateway.client.post("/model/reload", headers=header) as response:
                told += [await response.text(), str(response.headers)]
        gateway.process.terminate()
        log = await gateway.log()
    for secret in (PASSWORD, key, wrong):
        assert secret not in command
        assert secret not in log
        assert not any(secret in one for one in told)
    assert "debug" in log.lower()


@pytest.mark.parametrize("option", ["FIXGATE_REDIS_URL", "REDIS_URL"])
async def test_a_url_that_cannot_be_used_is_refused_without_its_password(alone: Config, option: str) -> None:
    options = environment(alone)
    options.pop("FIXGATE_REDIS_URL")
    async with running({**options, option: f"rediss//x:{PASSWORD}@nowhere"}) as gateway:
        assert await gateway.process.wait() == 1
        log = await gateway.log()
    assert option in log
    assert PASSWORD not in log
