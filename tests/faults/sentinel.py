"""A Redis master, its replica, and three Sentinels that watch them, as processes that a test may kill."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis import Redis, RedisError

from stack.part import LOOPBACK, Part
from stack.redis_server import redis_executable
from tests import launch
from tests.faults.world import Held

NAME = "fixgate-master"
PASSWORD = "pa55word of redis"
WHOLE_S = 60.0
OWN_PASSWORD = "pa55word-of-sentinels"


@dataclass(frozen=True)
class Group:
    """`url` names the Sentinels as fixgate wants them named."""

    servers: tuple[Held, Held]
    sentinels: tuple[Held, ...]
    url: str

    @property
    def master(self) -> Held:
        """The server that the Sentinels call the master.

        Raises:
            RuntimeError: they know of none.
        """
        for sentinel in self.sentinels:
            with contextlib.suppress(RedisError), client(sentinel, OWN_PASSWORD) as asked:
                _, port = asked.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
                return next(one for one in self.servers if one.part.address.endswith(f":{int(port)}"))
        raise RuntimeError("no Sentinel answers")

    def wait_until_whole(self) -> None:
        """Wait until every Sentinel knows the others, and the replica follows its master."""
        end = time.monotonic() + WHOLE_S
        while not all(map(_whole, self.sentinels)):
            assert time.monotonic() < end, "the group does not become whole"
            time.sleep(0.1)


def client(held: Held, password: str = PASSWORD) -> Redis:
    """A client of one server, or of one Sentinel."""
    return Redis.from_url(held.part.address, password=password, socket_timeout=2)


@contextlib.contextmanager
def sentinels(home: Path) -> Iterator[Group]:
    """All five run, know of each other, and the replica follows its master."""
    ports = launch.free_ports(5)
    servers = [_server(home, port, ports[0]) for port in ports[:2]]
    watching = [_sentinel(home, port, ports[0]) for port in ports[2:]]
    addresses = ",".join(f"{LOOPBACK}:{port}" for port in ports[2:])
    quoted = PASSWORD.replace(" ", "%20")
    url = f"redis+sentinel://:{quoted}@{addresses}/{NAME}/0?sentinel_password={OWN_PASSWORD}"
    with contextlib.ExitStack() as stack:
        for held in (*servers, *watching):
            stack.callback(held.end)
            held.start()
        group = Group((servers[0], servers[1]), tuple(watching), url)
        group.wait_until_whole()
        yield group


def _whole(sentinel: Held) -> bool:
    with client(sentinel, OWN_PASSWORD) as asked:
        (master,) = asked.sentinel_masters().values()
        replicas = asked.sentinel_slaves(NAME)
    known = master["num-other-sentinels"] == 2 and len(replicas) == 1
    return known and replicas[0]["master-link-status"] == "ok"


def _server(home: Path, port: int, master: int) -> Held:
    name = f"redis-{port}"
    words = ["--requirepass", PASSWORD, "--masterauth", PASSWORD]
    words += [] if port == master else ["--replicaof", LOOPBACK, str(master)]
    command = (redis_executable(), "--bind", LOOPBACK, "--port", str(port), "--save", "", *words)
    return _held(home, name, port, command, PASSWORD)


def _sentinel(home: Path, port: int, master: int) -> Held:
    name = f"sentinel-{port}"
    (home / name).mkdir(parents=True)
    (home / name / "sentinel.conf").write_text(
        f"""bind {LOOPBACK}
port {port}
requirepass {OWN_PASSWORD}
sentinel sentinel-pass {OWN_PASSWORD}
sentinel monitor {NAME} {LOOPBACK} {master} 2
sentinel auth-pass {NAME} "{PASSWORD}"
sentinel down-after-milliseconds {NAME} 1000
sentinel failover-timeout {NAME} 5000
"""
    )
    return _held(home, name, port, (redis_executable(), "sentinel.conf", "--sentinel"), OWN_PASSWORD)


def _held(home: Path, name: str, port: int, command: tuple[str, ...], password: str) -> Held:
    address = f"redis://{LOOPBACK}:{port}"

    def answers() -> bool:
        with Redis.from_url(address, password=password, socket_timeout=1) as asked:
            try:
                return bool(asked.ping())
            except RedisError:
                return False

    part = Part(name=name, command=command, folder=home / name, address=address, ready=answers)
    return Held(part, home / "logs" / f"{name}.log")
