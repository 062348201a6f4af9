"""Memory of Redis, for the metrics."""

import redis.asyncio

from gateway.redis_client import connect
from gateway.telemetry.redis_memory import RedisMemory
from tests.launch import free_ports


async def test_the_memory_that_redis_uses_is_known_while_it_answers(redis_url: str) -> None:
    client = connect(redis_url, max_connections=2)
    memory = RedisMemory(client)
    await memory.look()
    assert memory.used_bytes is not None
    assert memory.used_bytes > 100_000
    await client.aclose()


async def test_it_is_unknown_while_redis_is_away() -> None:
    client = redis.asyncio.Redis(port=free_ports(1)[0])
    memory = RedisMemory(client)
    memory.used_bytes = 1.0
    await memory.look()
    assert memory.used_bytes is None
    await client.aclose()
