"""A sync that kills itself at one step of its work, again and again.

`python -m tests.sync.killed` imports sync once (mlflow takes seconds), then for every line `PLACE WHEN
ENVIRONMENT-AS-JSON` on its standard input forks a sync, and writes how that one ended. PLACE is
`module:Class.function`; WHEN is `before` or `after`: the step is done, or not, and then there is no more
process.
"""

import functools
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import sync.service  # noqa: F401 - imported here, so that no fork has to
from sync.__main__ import main

LIMIT_S = 60
"""A step that is never reached ends the process all the same, by another signal."""


def die_at(place: str, when: str) -> None:
    """Make the function at this place the process's last."""
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    real: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(real)
    def last(*arguments: Any, **named: Any) -> None:
        if when == "after":
            real(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, last)


def serve() -> None:
    """Fork a sync for every line, one after the other."""
    for line in sys.stdin:
        place, when, environment = line.split(" ", 2)
        child = os.fork()
        if child == 0:
            os.environ.update(json.loads(environment))
            die_at(place, when)
            signal.alarm(LIMIT_S)
            os._exit(main())
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
