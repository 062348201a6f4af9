"""The gateway as a process of its own, for clients that block."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from stack.part import LOOPBACK, Part, http_ok
from tests import launch


def gateway_part(home: Path, environment: Mapping[str, str], port: int) -> Part:
    """`python -m gateway` on that port; ready when `/ready` is 200."""
    return Part(
        name="gateway",
        command=(sys.executable, "-m", "gateway"),
        folder=Path.cwd(),
        address=f"http://{LOOPBACK}:{port}",
        ready=lambda: http_ok(port, "/ready"),
        environment={
            "FIXGATE_OBJECTIVE_MS": "60000",  # a busy machine must not have requests refused
            "FIXGATE_HOME": str(home),
            "FIXGATE_HOST": LOOPBACK,
            "FIXGATE_PORT": str(port),
            **environment,
        },
        stop_timeout_s=35.0,
    )


@contextlib.contextmanager
def gateway_process(home: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Run it on a free port until the block ends; yields its URL."""
    with launch.running(home, lambda ports: gateway_part(home, environment, ports[0])) as (
        running,
        _,
    ):
        yield running.address
