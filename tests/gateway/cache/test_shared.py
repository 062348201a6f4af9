"""The shared cache on a real Redis, and without one: away, hanging, full, wrong."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from gateway.cache.shared import CONNECTIONS, PENDING, ROUND_TRIP_S, RedisCache, redis_key
from gateway.redis_client import connect
from tests.gateway.waiting import until
from tests.launch import free_ports

Redis = redis.asyncio.Redis
KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.fixture
async def client(empty_redis: str) -> AsyncIterator[Redis]:
    """A connection to an empty Redis."""
    async with connect(empty_redis, max_connections=8) as client:
        yield client


@pytest.fixture
async def away() -> AsyncIterator[Redis]:
    """A client for a port where nothing listens."""
    async with connect(f"redis://127.0.0.1:{free_ports(1)[0]}", max_connections=8) as client:
        yield client


@pytest.fixture
async def hanging() -> AsyncIterator[Redis]:
    """A client for a server that accepts and never answers."""
    open_connections = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with connect(f"redis://127.0.0.1:{port}", max_connections=8) as client:
        yield client
    server.close()
    for writer in open_connections:
        writer.close()
    await server.wait_closed()


async def written(cache: RedisCache, values: dict[bytes, bytes]) -> None:
    """Put values and let the writer finish."""
    cache.put("m", values)
    writer = asyncio.create_task(cache.write_behind())
    await until(lambda: cache.pending == 0)
    writer.cancel()


async def test_what_is_put_is_found(client: Redis) -> None:
    cache = RedisCache(client, 60)
    await written(cache, {KEY: b"value"})
    assert await cache.get("m", [KEY, OTHER]) == [b"value", None]


async def test_another_process_finds_it(client: Redis, empty_redis: str) -> None:
    await written(RedisCache(client, 60), {KEY: b"value"})
    async with connect(empty_redis, max_connections=1) as other:
        assert await RedisCache(other, 60).get("m", [KEY]) == [b"value"]


async def test_models_do_not_share(client: Redis) -> None:
    cache = RedisCache(client, 60)
    await written(cache, {KEY: b"value"})
    assert await cache.get("n", [KEY]) == [None]


async def test_entries_expire(client: Redis) -> None:
    await written(RedisCache(client, 60), {KEY: b"value"})
    assert 50 < await client.ttl(redis_key("m", KEY)) <= 60


async def test_many_reads_share_round_trips(client: Redis) -> None:
    cache = RedisCache(client, 60)
    await cache.get("m", [KEY])
    before = (await client.info("commandstats"))["cmdstat_mget"]["calls"]
    found = await asyncio.gather(*(cache.get("m", [KEY]) for _ in range(100)))
    after = (await client.info("commandstats"))["cmdstat_mget"]["calls"]
    assert found == [[None]] * 100
    assert after - before <= 4


async def test_a_value_of_another_type_is_a_miss(client: Redis) -> None:
    await client.rpush(redis_key("m", KEY), b"not a string")
    assert await RedisCache(client, 60).get("m", [KEY]) == [None]


async def test_redis_away_is_a_miss_and_then_left_alone(away: Redis) -> None:
    cache = RedisCache(away, 60)
    for _ in range(3):
        assert await cache.get("m", [KEY]) == [None]
    assert not cache.available
    await written(cache, {KEY: b"value"})
    assert cache.dropped == 1


async def test_a_hanging_redis_costs_less_than_fifty_milliseconds(
    hanging: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    cache = RedisCache(hanging, 60)
    assert 2 * ROUND_TRIP_S < 0.05
    for _ in range(3):
        assert await cache.get("m", [KEY]) == [None]
    assert not cache.available
    assert "left alone for a while: TimeoutError" in caplog.text


async def test_a_busy_event_loop_is_not_redis_fault(client: Redis) -> None:
    """The answer is there, and so is the timer's end, when the loop gets to look at either."""
    cache = RedisCache(client, 60)
    await written(cache, {KEY: b"value"})
    reading = asyncio.create_task(cache.get("m", [KEY]))
    for _ in range(5):  # asked, not yet answered
        await asyncio.sleep(0)
    busy_until = time.monotonic() + 3 * ROUND_TRIP_S
    while time.monotonic() < busy_until:
        pass
    assert await reading == [b"value"]
    assert cache.available


async def test_many_waiters_of_one_failed_read_count_once(hanging: Redis) -> None:
    """Fifty at once are three reads: the circuit opens, but not as after fifty failures."""
    cache = RedisCache(hanging, 60, clock=lambda: 0.0)
    await asyncio.gather(*(cache.get("m", [KEY]) for _ in range(50)))
    assert cache._circuit.allows(0.6)


async def test_redis_is_used_again_when_it_is_back(client: Redis) -> None:
    now = time.monotonic()
    clock = [now]
    cache = RedisCache(client, 60, clock=lambda: clock[0])
    await written(cache, {KEY: b"value"})
    for _ in range(3):
        cache._failed(ConnectionError())
    assert await cache.get("m", [KEY]) == [None]
    clock[0] += 60
    assert await cache.get("m", [KEY]) == [b"value"]
    assert cache.available


async def test_after_each_failure_connections_are_made_again_behind_the_answers(
    client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read alone would hardly have the time for it over TLS, or when Sentinels must be asked first."""
    made = 0

    async def ping() -> bool:
        nonlocal made
        made += 1
        return True

    monkeypatch.setattr(client, "ping", ping)
    cache = RedisCache(client, 60)
    writer = asyncio.create_task(cache.write_behind())
    await until(lambda: made == CONNECTIONS)
    cache._failed(ConnectionError())
    await until(lambda: made == 2 * CONNECTIONS)
    writer.cancel()


async def test_a_full_redis_drops_writes_and_goes_on_reading(client: Redis) -> None:
    cache = RedisCache(client, 60)
    await written(cache, {KEY: b"value"})
    before = await client.config_get("maxmemory*")
    await client.config_set("maxmemory-policy", "noeviction")
    await client.config_set("maxmemory", "1")
    try:
        for _ in range(3):
            await written(cache, {OTHER: b"value"})
        assert cache.dropped == 3
        assert await cache.get("m", [KEY]) == [b"value"]
    finally:
        for name in ("maxmemory", "maxmemory-policy"):
            await client.config_set(name, str(before[name]))


async def test_a_writer_that_is_behind_drops(away: Redis) -> None:
    cache = RedisCache(away, 60)
    cache.put("m", {number.to_bytes(32, "little"): b"v" for number in range(PENDING + 10)})
    assert cache.dropped == 10
