"""Connections to Redis, and what counts as Redis being away."""

from typing import Any

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from contract.redis_url import Sentinels, sentinels

CONNECT_S = 5.0

SENTINEL_S = 0.5
"""For one Sentinel to answer; callers must have time left to ask the next."""

FAILURES = (RedisError, OSError, TimeoutError)
"""Redis down, hanging, refusing us, or answering with an error."""


def connect(url: str, *, max_connections: int, waits: bool = True) -> Redis:
    """A client that connects at its first command and never retries: each caller has its own way to go on.

    Who finds all connections in use waits for one: a burst is no failure of Redis. `waits` False is for who
    never has as many commands under way: to be able to wait costs a sixth of a command's time.

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
    if waits:
        options["timeout"] = None  # however long it takes
    found = sentinels(url)
    if found is not None:
        return Redis.from_pool(_pool(found, options, _WaitingMasterPool if waits else _MasterPool))
    kind = BlockingConnectionPool if waits else ConnectionPool
    return Redis.from_pool(kind.from_url(url, **options))


class _MasterPool(SentinelConnectionPool):
    """Connections to whoever is the master; ends those to the Sentinels with its own."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


class _WaitingMasterPool(_MasterPool, BlockingConnectionPool):
    """The one says where a connection leads to, the other who gets one and when."""


def _pool(found: Sentinels, options: dict[str, Any], kind: type[_MasterPool]) -> _MasterPool:
    """Each new connection asks the Sentinels first. A master that is one no longer ends its connections."""
    patience = {"socket_timeout": SENTINEL_S, "socket_connect_timeout": SENTINEL_S, "retry": options["retry"]}
    sentinel = Sentinel(found.hosts, sentinel_kwargs={**found.own, **patience})  # type: ignore[no-untyped-call]
    return kind(found.service, sentinel, **found.master, **options)
