"""Connections to Redis, and what counts as Redis being away."""

from typing import TYPE_CHECKING

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from redis.asyncio import Redis

FAILURES = (RedisError, OSError, TimeoutError)
"""Redis down, hanging, refusing us, or answering with an error."""


def connect(url: str, *, timeout_s: float, max_connections: int) -> "Redis":
    """A client that connects at its first command and never retries: each caller has its own way to go on.

    Raises:
        ValueError: not a redis://, rediss:// or unix:// URL.
    """
    return redis.asyncio.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        max_connections=max_connections,
        retry=Retry(NoBackoff(), 0),
    )
