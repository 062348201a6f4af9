"""The gateway as a process of its own, for clients that block."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from stack.part import LOOPBACK, Part, http_ok
from tests import launch


@contextlib.contextmanager
def gateway_process(home: Path, environment: dict[str, str], *, measured: bool = True) -> Iterator[str]:
    """Run `python -m gateway` on a free port until the block ends; yields its URL once `/ready` is 200."""

    def part(ports: list[int]) -> Part:
        options = {"FIXGATE_HOME": str(home), "FIXGATE_HOST": LOOPBACK, "FIXGATE_PORT": str(ports[0])}
        return Part(
            name="gateway",
            command=(sys.executable, "-m", "gateway"),
            folder=Path.cwd(),
            address=f"http://{LOOPBACK}:{ports[0]}",
            ready=lambda: http_ok(ports[0], "/ready"),
            environment={**options, **environment},
            stop_timeout_s=35.0,
        )

    with launch.running(home, part, measured=measured) as (running, _):
        yield running.address
