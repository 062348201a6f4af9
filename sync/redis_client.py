"""Connections to Redis for callers that block."""

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from contract.redis_url import Sentinels, sentinels

SENTINEL_S = 0.5
"""For one Sentinel to answer, before the next is asked."""


def connect(url: str, *, timeout_s: float) -> redis.Redis:
    """A client that connects at its first command and never retries.

    Raises:
        ValueError: not a URL that `contract.redis_url` allows.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
    }
    found = sentinels(url)
    if found is None:
        return redis.Redis.from_url(url, **options)
    return redis.Redis.from_pool(_pool(found, options))


class _MasterPool(SentinelConnectionPool):
    """Connections to whoever is the master; ends those to the Sentinels with its own."""

    def close(self) -> None:
        super().close()
        for sentinel in self.sentinel_manager.sentinels:
            sentinel.close()


def _pool(found: Sentinels, options: dict[str, Any]) -> _MasterPool:
    """Each new connection asks the Sentinels first. A master that is one no longer ends its connections."""
    patience = {"socket_timeout": SENTINEL_S, "socket_connect_timeout": SENTINEL_S, "retry": options["retry"]}
    sentinel = Sentinel(found.hosts, sentinel_kwargs={**found.own, **patience})  # type: ignore[no-untyped-call]
    return _MasterPool(found.service, sentinel, **found.master, **options)  # type: ignore[no-untyped-call]
