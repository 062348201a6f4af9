"""Connections to Redis."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis, RedisError
from redis.exceptions import MaxConnectionsError

from gateway.redis_client import FAILURES, connect
from stack.part import LOOPBACK, Part
from stack.redis_server import redis_executable
from tests.gateway.waiting import settle, until
from tests.launch import free_ports, running

MASTER = "master"


@pytest.fixture
def url(request: pytest.FixtureRequest, empty_redis: str, tmp_path: Path) -> Iterator[str]:
    """Of a Redis itself, or of a Sentinel that knows of it."""
    if request.param == "redis":
        yield empty_redis
        return
    with running(tmp_path, lambda ports: sentinel(tmp_path, ports[0], empty_redis)) as (_, ports):
        yield f"redis+sentinel://{LOOPBACK}:{ports[0]}/{MASTER}"


def sentinel(home: Path, port: int, redis_url: str) -> Part:
    """A Sentinel that watches a Redis."""
    monitored = f"sentinel monitor {MASTER} {LOOPBACK} {urlsplit(redis_url).port} 1"
    (home / "sentinel.conf").write_text(f"bind {LOOPBACK}\nport {port}\n{monitored}\n")

    def answers() -> bool:
        with contextlib.suppress(RedisError), Redis(LOOPBACK, port) as client:
            return bool(client.ping())
        return False

    command = (redis_executable(), "sentinel.conf", "--sentinel")
    return Part(name="sentinel", command=command, folder=home, address="", ready=answers)


async def test_a_command_fails_at_once_when_nothing_listens() -> None:
    """No retries with back-off behind the caller's back."""
    async with connect(f"redis://127.0.0.1:{free_ports(1)[0]}", max_connections=1) as client:
        with pytest.raises(FAILURES):
            await client.ping()


async def test_a_wrong_password_is_a_failure_like_any_other(empty_redis: str) -> None:
    url = empty_redis.replace("redis://", "redis://nobody:wrong@")
    async with connect(url, max_connections=1) as client:
        with pytest.raises(FAILURES):
            await client.ping()


@pytest.mark.parametrize("url", ["redis", "sentinel"], indirect=True)
async def test_who_is_not_to_wait_is_refused_at_once(url: str) -> None:
    async with asyncio.timeout(60), connect(url, max_connections=1, waits=False) as client:
        assert await client.ping()
        held = asyncio.ensure_future(client.blpop(["answer"], timeout=0))
        await settle()
        with pytest.raises(MaxConnectionsError):
            await client.ping()
        held.cancel()
        await asyncio.wait([held])


@pytest.mark.parametrize("url", ["redis", "sentinel"], indirect=True)
async def test_who_finds_all_connections_in_use_waits_for_one(url: str, empty_redis: str) -> None:
    """A burst is no failure of Redis, and loses nothing."""
    async with (
        asyncio.timeout(60),
        connect(url, max_connections=1) as client,
        connect(empty_redis, max_connections=1) as other,
    ):
        held = asyncio.ensure_future(client.blpop(["answer"], timeout=0))

        async def blocks() -> bool:
            return any("b" in one["flags"] for one in await other.client_list())

        await until(blocks)
        burst = [asyncio.ensure_future(client.incr("count")) for _ in range(50)]
        await settle()
        assert not any(one.done() for one in burst)
        await other.lpush("answer", "now")
        assert await held == (b"answer", b"now")
        assert sorted(await asyncio.gather(*burst)) == list(range(1, 51))


async def test_who_waits_for_a_connection_in_vain_stops_at_its_own_time_limit(empty_redis: str) -> None:
    async with connect(empty_redis, max_connections=1) as client:
        held = asyncio.ensure_future(client.blpop(["answer"], timeout=0))
        await settle()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.ping()
        held.cancel()
        await asyncio.wait([held])
        async with asyncio.timeout(60):
            assert await client.ping()


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="not the URL of a Redis; allowed: redis://"):
        connect("http://127.0.0.1", max_connections=1)


async def test_cancelling_always_cancels(empty_redis: str) -> None:
    """Whatever the client was doing: a cancelled task that goes on would never end."""
    for turns in range(40):
        async with connect(empty_redis, max_connections=1) as client:
            task = asyncio.ensure_future(client.get("k"))
            for _ in range(turns):
                await asyncio.sleep(0)
            was_done = task.done()
            task.cancel()
            await asyncio.wait([task])
            assert was_done or task.cancelled()
