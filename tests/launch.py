"""Start the real parts that tests need, on free ports, and stop them again."""

import contextlib
import dataclasses
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from stack import process
from stack.mlflow_server import mlflow_part
from stack.part import LOOPBACK, Part
from stack.redis_server import redis_part
from stack.triton_server import TritonPorts, triton_part

ATTEMPTS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Triton:
    """A running Triton.

    `http`, `grpc` and `metrics` are host:port; `staging` is beside `repository`, on the same mount.
    """

    http: str
    grpc: str
    metrics: str
    repository: Path
    staging: Path
    log: Path


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def redis_server(home: Path) -> Iterator[str]:
    """A Redis; yields its URL."""
    with running(home, lambda ports: redis_part(home, ports[0])) as (part, _):
        yield part.address


@contextlib.contextmanager
def mlflow_server(home: Path) -> Iterator[str]:
    """An MLflow server; yields its URI."""
    with running(home, lambda ports: mlflow_part(home, ports[0])) as (part, _):
        yield part.address


@contextlib.contextmanager
def triton_server(home: Path, url: str | None = None) -> Iterator[Triton]:
    """A Triton that polls `home/model_repository` every second, or what `url` names in object storage."""
    repository, staging = home / "model_repository", home / "staging"
    repository.mkdir(parents=True, exist_ok=True)
    staging.mkdir(exist_ok=True)

    def part(ports: list[int]) -> Part:
        made = triton_part(home, repository, TritonPorts(*ports[:3]))
        option = "--model-repository="
        words = (f"{option}{url}" if url and word.startswith(option) else word for word in made.command)
        return dataclasses.replace(made, command=tuple(words))

    with running(home, part) as (_, ports):
        http, grpc, metrics = (f"{LOOPBACK}:{port}" for port in ports[:3])
        yield Triton(http, grpc, metrics, repository, staging, _log(home, "triton"))


@contextlib.contextmanager
def running(home: Path, make: Callable[[list[int]], Part]) -> Iterator[tuple[Part, list[int]]]:
    """Run the part that `make` builds; another program may take a free port first, so try others."""
    for attempt in range(1, ATTEMPTS + 1):
        ports = free_ports(3)
        part = make(ports)
        log = _log(home, part.name)
        running = process.start(part, log)
        try:
            try:
                process.wait_until_ready(part, running, log)
            except process.StartFailed:
                if attempt < ATTEMPTS and _lost_its_port(log):
                    continue
                raise
            yield part, ports
            return
        finally:
            process.stop(running, part.stop_timeout_s)


def _lost_its_port(log: Path) -> bool:
    words = ("address already in use", "failed to start", "could not create server tcp listening socket")
    return any(word in log.read_text(errors="replace").lower() for word in words)


def _log(home: Path, name: str) -> Path:
    return home / "logs" / f"{name}.log"
