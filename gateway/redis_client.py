"""Connections to Redis, and what counts as Redis being away."""

from typing import TYPE_CHECKING, Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from contract.redis_url import Sentinels, sentinels

if TYPE_CHECKING:
    from redis.asyncio import Redis

CONNECT_S = 5.0

SENTINEL_S = 0.5
"""For one Sentinel to answer; callers must have time left to ask the next."""

FAILURES = (RedisError, OSError, TimeoutError)
"""Redis down, hanging, refusing us, or answering with an error."""


def connect(url: str, *, max_connections: int) -> "Redis":
    """A client that connects at its first command and never retries: each caller has its own way to go on.

    It sets no limit on a command's time: callers do, by `asyncio.timeout`. The client's own limit is an
    `asyncio.wait_for`, which on Python 3.11 swallows the cancellation of a task that has just been served.

    Raises:
        ValueError: not a URL that `contract.redis_url` allows.
    """
    options: dict[str, Any] = {
        "socket_timeout": None,
        "socket_connect_timeout": CONNECT_S,
        "max_connections": max_connections,
        "retry": Retry(NoBackoff(), 0),
    }
    found = sentinels(url)
    if found is None:
        return redis.asyncio.Redis.from_url(url, **options)
    return redis.asyncio.Redis.from_pool(_pool(found, options))


class _MasterPool(SentinelConnectionPool):
    """Connections to whoever is the master; ends those to the Sentinels with its own."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


def _pool(found: Sentinels, options: dict[str, Any]) -> _MasterPool:
    """Each new connection asks the Sentinels first. A master that is one no longer ends its connections."""
    patience = {"socket_timeout": SENTINEL_S, "socket_connect_timeout": SENTINEL_S, "retry": options["retry"]}
    sentinel = Sentinel(found.hosts, sentinel_kwargs={**found.own, **patience})  # type: ignore[no-untyped-call]
    return _MasterPool(found.service, sentinel, **found.master, **options)  # type: ignore[no-untyped-call]
