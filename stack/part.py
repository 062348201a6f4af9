"""A part of the stack: how one process is started, and how anyone can tell that it is ready."""

import http.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"


class CannotStart(Exception):
    """What keeps a part from starting, and what the user can do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process. `ready` may block for a second at most; None: a job, done when it exits with 0.

    `broken` is asked now and then while the part is ready, with its process id: why it must be started again
    although it runs, or "". It may block for a moment.
    `environment` is added to this process's own; a value of None takes the variable away. `after` names
    the parts that must be ready before this one is started.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    address: str
    ready: Callable[[], bool] | None
    broken: Callable[[int], str] | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    start_timeout_s: float = 120.0
    stop_timeout_s: float = 10.0


def http_ok(port: int, path: str, host: str = LOOPBACK) -> bool:
    """Whether a GET is answered with 200 within a second."""
    connection = http.client.HTTPConnection(host, port, timeout=1.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
