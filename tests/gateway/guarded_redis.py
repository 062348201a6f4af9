"""A Redis that asks for a password, and may ask for another from then on."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import redis

from tests import launch


@contextlib.contextmanager
def guarded_redis(home: Path, password: str) -> Iterator[str]:
    """It runs; yields its URL with the password in it."""
    with launch.redis_server(home) as url:
        with redis.Redis.from_url(url) as client:
            client.config_set("requirepass", password)
        yield url.replace("://", f"://:{password}@")


def change_password(url: str) -> None:
    """It takes the one in this URL no more, and ends all connections."""
    with redis.Redis.from_url(url) as client:
        client.config_set("requirepass", "another")
        for kind in ("normal", "pubsub"):
            client.client_kill_filter(_type=kind, skipme=True)


def users(url: str) -> int:
    """How many other connections it has."""
    with redis.Redis.from_url(url) as client:
        return len(client.client_list()) - 1
