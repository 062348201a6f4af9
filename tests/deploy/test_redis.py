"""How Redis is started in containers, with the real server."""

from pathlib import Path

import pytest
import redis

from stack import process
from stack.part import LOOPBACK, Part
from stack.redis_server import redis_executable
from tests import launch
from tests.deploy.conftest import ROOT


def test_redis_asks_for_the_password_of_its_file_and_evicts_only_what_expires(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/redis-server").symlink_to(redis_executable())
    (tmp_path / "password").write_text("a-long-secret")

    def part(ports: list[int]) -> Part:
        return Part(
            name="redis",
            command=("sh", str(ROOT / "deploy/redis/start.sh"), "--port", str(ports[0])),
            folder=tmp_path,
            address=f"redis://:a-long-secret@{LOOPBACK}:{ports[0]}",
            ready=lambda: _answers(ports[0]),
            environment={
                "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
                "PASSWORD_FILE": str(tmp_path / "password"),
                "TMPDIR": str(tmp_path),
            },
        )

    with launch.running(tmp_path, part) as (running, ports):
        with redis.Redis.from_url(running.address) as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}
            assert client.config_get("appendonly") == {"appendonly": "yes"}
        with redis.Redis(LOOPBACK, ports[0]) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.get("fixgate:catalog")


def test_without_a_password_redis_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "password").touch()
    part = Part(
        name="redis",
        command=("sh", str(ROOT / "deploy/redis/start.sh")),
        folder=tmp_path,
        address="",
        ready=lambda: False,
        environment={"PASSWORD_FILE": str(tmp_path / "password")},
    )
    running = process.start(part, tmp_path / "log")
    try:
        with pytest.raises(process.StartFailed, match="the password is empty"):
            process.wait_until_ready(part, running, tmp_path / "log")
    finally:
        process.stop(running, 1.0)


def _answers(port: int) -> bool:
    try:
        with redis.Redis(LOOPBACK, port, password="a-long-secret") as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
