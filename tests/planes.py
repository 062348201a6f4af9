"""Start our own planes as processes, against the real parts that the suite shares."""

import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from stack.part import LOOPBACK, Part, http_ok
from tests import launch

REPOSITORY = Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """The parts that a plane talks to."""

    redis_url: str
    mlflow_uri: str
    triton: launch.Triton
    home: Path

    @property
    def environment(self) -> dict[str, str | None]:
        """What both planes are told."""
        return {
            "FIXGATE_REDIS_URL": self.redis_url,
            "FIXGATE_MLFLOW_URI": self.mlflow_uri,
            "FIXGATE_TRITON_HTTP": self.triton.http,
            "FIXGATE_TRITON_GRPC": self.triton.grpc,
            "FIXGATE_MODEL_REPOSITORY": str(self.triton.repository),
        }


@contextlib.contextmanager
def sync_plane(parts: Parts, options: Mapping[str, str]) -> Iterator[str]:
    """`python -m sync`; yields its URL."""
    options = {"FIXGATE_STAGING": str(parts.triton.staging), "FIXGATE_DRAIN_S": "0", **options}
    with _plane("sync", "FIXGATE_SYNC_PORT", parts, options) as url:
        yield url


@contextlib.contextmanager
def gateway_plane(parts: Parts, options: Mapping[str, str]) -> Iterator[str]:
    """`python -m gateway`; yields its URL. It is up, though perhaps not ready."""
    options = {"FIXGATE_OBJECTIVE_MS": "60000", **options}  # a busy machine must not have requests refused
    with _plane("gateway", "FIXGATE_PORT", parts, options) as url:
        yield url


@contextlib.contextmanager
def _plane(name: str, port_option: str, parts: Parts, options: Mapping[str, str]) -> Iterator[str]:
    home = parts.home / name

    def part(ports: list[int]) -> Part:
        return Part(
            name=name,
            command=(sys.executable, "-m", name),
            folder=REPOSITORY,
            address=f"http://{LOOPBACK}:{ports[0]}",
            ready=lambda: http_ok(ports[0], "/health"),
            environment={
                **parts.environment,
                "FIXGATE_HOME": str(home),
                port_option: str(ports[0]),
                **options,
            },
        )

    with launch.running(home, part) as (started, _):
        yield started.address
