"""A Redis, a Triton and a gateway as processes that a test may kill, stop and start again."""

import contextlib
import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from stack import process
from stack.part import LOOPBACK, Part
from stack.redis_server import redis_part
from stack.triton_server import TritonPorts, triton_part
from tests import launch
from tests.gateway import stand
from tests.gateway.gateway_process import gateway_part

MODEL = "faults-echo"


@dataclass
class Held:
    """One part in our hands."""

    part: Part
    log: Path
    running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            RuntimeError: it is not running.
        """
        if self.running is None:
            raise RuntimeError(f"{self.part.name} is not running")
        return self.running.pid

    def begin(self) -> None:
        """Start it without waiting."""
        self.running = process.start(self.part, self.log)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.begin()
        self.wait()

    def wait(self) -> None:
        """Wait until it is ready."""
        if self.running is not None:
            process.wait_until_ready(self.part, self.running, self.log)

    def kill(self) -> None:
        """Kill it and all its children, as the kernel does when memory runs out."""
        process.signal_group(self.pid, signal.SIGKILL)
        self.end()

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop it and its children in their tracks (SIGSTOP) until the block ends."""
        process.signal_group(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            process.signal_group(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """Stop it, whatever state it is in."""
        if self.running is not None:
            process.stop(self.running, self.part.stop_timeout_s)
            self.running = None


@dataclass
class World:
    """The parts, and where they are."""

    redis: Held
    triton: Held
    gateway: Held
    served: launch.Triton

    @property
    def url(self) -> str:
        """The gateway's."""
        return self.gateway.part.address

    @property
    def redis_url(self) -> str:
        """Redis's."""
        return self.redis.part.address

    def announce(self, revision: int = 1, *, version: int = 1) -> None:
        """Tell the gateways what is served, as sync does, also again when Redis has lost it.

        `version`: Triton has the first only.
        """
        served = stand.echo_model(MODEL).served(version=version)
        catalog = stand.catalogue(stand.served_model(served, name=MODEL), revision=revision)
        stand.announce(self.redis_url, catalog, revision)

    def client(self) -> Redis:
        """A client of Redis."""
        return Redis.from_url(self.redis_url)


@contextlib.contextmanager
def world(home: Path, **options: str) -> Iterator[World]:
    """All three on free ports, nothing started yet; whatever runs is stopped at the end."""
    ports = launch.free_ports(5)
    repository, staging = home / "model_repository", home / "staging"
    staging.mkdir(parents=True)
    triton = triton_part(home, repository, TritonPorts(*ports[:3]))
    store = redis_part(home, ports[3])
    http, grpc, metrics = (f"{LOOPBACK}:{port}" for port in ports[:3])
    environment = {"FIXGATE_REDIS_URL": store.address, "FIXGATE_TRITON_GRPC": grpc, **options}
    gateway = gateway_part(home / "gateway", environment, ports[4])
    parts = [Held(part, home / "logs" / f"{part.name}.log") for part in (store, triton, gateway)]
    served = launch.Triton(http, grpc, metrics, repository, staging, parts[1].log)
    made = World(parts[0], parts[1], parts[2], served)
    try:
        yield made
    finally:
        for part in reversed(parts):
            part.end()


def dependencies(url: str) -> dict[str, Any]:
    """What a gateway says of what it depends on."""
    with urllib.request.urlopen(f"{url}/health/detailed", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)["dependencies"]
        return found


def children(pid: int) -> list[int]:
    """Process ids of a process's children."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in listed] or [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and _parent(int(entry.name)) == pid
    ]


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return None


def open_files(pid: int) -> int:
    """How many file descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
