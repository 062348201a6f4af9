"""Noticing that the cache was cleared."""

from contract.keys import CACHE_GENERATION
from gateway.cache.generation import CacheGeneration
from gateway.redis_client import connect
from tests.launch import free_ports


async def test_memory_is_forgotten_when_the_number_changes_and_only_then(empty_redis: str) -> None:
    cleared: list[None] = []
    async with connect(empty_redis, max_connections=1) as client:
        await client.set(CACHE_GENERATION, "7")
        generation = CacheGeneration(client, lambda: cleared.append(None))
        for _ in range(2):
            await generation.look()
        assert cleared == []
        await client.incr(CACHE_GENERATION)
        for _ in range(2):
            await generation.look()
        assert len(cleared) == 1
        await client.delete(
            CACHE_GENERATION
        )  # a Redis that lost everything: nothing says that it was not cleared
        await generation.look()
        assert len(cleared) == 2


async def test_what_was_cleared_while_redis_was_away_is_noticed_when_it_is_back(empty_redis: str) -> None:
    cleared: list[None] = []
    async with (
        connect(empty_redis, max_connections=1) as client,
        connect(f"redis://127.0.0.1:{free_ports(1)[0]}", max_connections=1) as away,
    ):
        generation = CacheGeneration(client, lambda: cleared.append(None))
        await generation.look()
        generation._redis = away
        await generation.look()
        assert cleared == []
        await client.incr(CACHE_GENERATION)
        generation._redis = client
        await generation.look()
        assert len(cleared) == 1
