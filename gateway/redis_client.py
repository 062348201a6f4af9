"""Connections to Redis, and what counts as Redis being away."""

from typing import TYPE_CHECKING

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from redis.asyncio import Redis

CONNECT_S = 5.0

FAILURES = (RedisError, OSError, TimeoutError)
"""Redis down, hanging, refusing us, or answering with an error."""


def connect(url: str, *, max_connections: int) -> "Redis":
    """A client that connects at its first command and never retries: each caller has its own way to go on.

    It sets no limit on a command's time: callers do, by `asyncio.timeout`. The client's own limit is an
    `asyncio.wait_for`, which on Python 3.11 swallows the cancellation of a task that has just been served.

    Raises:
        ValueError: not a redis://, rediss:// or unix:// URL.
    """
    return redis.asyncio.Redis.from_url(
        url,
        socket_timeout=None,
        socket_connect_timeout=CONNECT_S,
        max_connections=max_connections,
        retry=Retry(NoBackoff(), 0),
    )
