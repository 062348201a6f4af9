"""Connections to Redis."""

import asyncio

import pytest

from gateway.redis_client import FAILURES, connect
from tests.launch import free_ports


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
