"""Keys and passwords stay where they belong: not in the log, in answers, in /metrics, on the command line."""

import re
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from cli.main import app
from contract import catalog as catalogs
from gateway.config import Config
from tests.gateway import stand
from tests.gateway.guarded_redis import change_password, guarded_redis
from tests.gateway.serving.test_workers import log_until_up, workers
from tests.gateway.test_main import Running, environment, running
from tests.gateway.triton.holding_triton import holding_triton
from tests.gateway.waiting import until
from tests.launch import free_ports

PASSWORD = "pa55word-of-redis"
DEBUGGED_WORKERS = {"FIXGATE_WORKERS": "2", "FIXGATE_LOG_LEVEL": "debug"}
HURRIED = {"X-Request-Timeout-Ms": "500"}  # a reload waits for sync, which is not there
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


async def answers(gateway: Running, header: dict[str, str]) -> list[str]:
    """All that it says to somebody who asks for everything."""
    asked: list[tuple[str, str, object]] = [("GET", path, None) for path in PATHS]
    asked += [("POST", "/predict", {"features": []}), ("POST", "/model/reload", None)]
    told = []
    for method, path, body in asked:
        async with gateway.client.request(method, path, json=body, headers=header) as response:
            told += [await response.text(), str(response.headers)]
    return told


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
            told += await answers(gateway, header)
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


@pytest.mark.parametrize("option", ["FIXGATE_REDIS_URL", "FIXGATE_REDIS_URL_FILE"])
async def test_the_password_of_a_redis_that_is_used_is_told_to_no_one(
    alone: Config, option: str, tmp_path: Path
) -> None:
    """Nor by workers, nor when Redis takes it no more. The catalogue can only come from that Redis."""
    with guarded_redis(tmp_path / "redis", PASSWORD) as url:
        stand.announce(url, later(alone))
        (tmp_path / "url").write_text(f"{url}\n")
        async with holding_triton(1) as triton:
            told = {"FIXGATE_REDIS_URL": url, "FIXGATE_REDIS_URL_FILE": str(tmp_path / "url")}
            options = environment(alone, FIXGATE_TRITON_GRPC=triton.address, **DEBUGGED_WORKERS)
            options.pop("FIXGATE_REDIS_URL")
            async with running({**options, option: told[option]}) as gateway:
                heard, commands = await used(gateway, url)
                gateway.process.terminate()
                heard.append(await gateway.log())
    assert len(commands) == 3
    assert not [one for one in (*commands, *heard) if PASSWORD in one]
    assert "the catalogue cannot be followed: " in heard[-1]


async def used(gateway: Running, redis_url: str) -> tuple[list[str], list[str]]:
    """All that it says while Redis is there and after it has another password, and the command lines."""
    heard = [await log_until_up(gateway, 2)]
    await until(gateway.is_ready, within_s=60)
    assert await gateway.predict() == 200
    await until(lambda: follow(gateway, 1), within_s=60)
    heard += await answers(gateway, HURRIED)
    commands = [command_line(pid) for pid in (gateway.process.pid, *workers(gateway))]
    change_password(redis_url)
    await until(lambda: follow(gateway, 0), within_s=60)
    return [*heard, *await answers(gateway, HURRIED)], commands


def later(alone: Config) -> bytes:
    """The catalogue of the snapshot, which is taken away, to be announced."""
    document = alone.snapshot.read_bytes()
    alone.snapshot.unlink()
    return catalogs.dump(msgspec.structs.replace(catalogs.parse(document), revision=7))


async def follow(gateway: Running, state: int) -> bool:
    """Whether all workers are told of new catalogues (1), or not all (0)."""
    async with gateway.client.get("/metrics") as response:
        return f"fixgate_catalog_following {state}.0" in await response.text()
