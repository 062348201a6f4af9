"""`python -m sync`: keep the model repository as the registry wants it, until stopped."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from contract import environment, logs
from sync import config as configuration
from sync.errors import Misconfigured
from sync.relay import relay

if TYPE_CHECKING:
    from sync.watch import Watch


def main(
    *,
    once: bool = False,
    options: Mapping[str, str] | None = None,
    on_watch: Callable[["Watch"], None] | None = None,
) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP asks for a pass now. With `once`, until nothing is left to do.

    Args:
        options: variables that come before the environment's.
        on_watch: called with the loop before it begins, to follow it.

    Status 0: well; 1: with `once`, something is refused or does not answer; 2: an option is wrong.
    """
    try:
        config = configuration.from_env({**os.environ, **(options or {})})
        logs.configure(config.log_level, config.log_format)
        for name in environment.unknown(os.environ):
            logging.getLogger("sync").warning("%s is no option of fixgate: ignored", name)
        return _run(config, once=once, on_watch=on_watch)
    except Misconfigured as error:
        sys.stderr.write(f"fixgate sync: {error}\n")
        return 2


def _run(config: configuration.Config, *, once: bool, on_watch: Callable[["Watch"], None] | None) -> int:
    # Imported late, so that a wrong option is reported at once: mlflow takes seconds.
    from sync.service import Service  # noqa: PLC0415

    service = Service(config)
    if on_watch is not None:
        service.on_watch = on_watch
    stop, ring = service.bell.stop, service.bell.ring
    relay({signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: ring})  # until there is a loop to wake
    return service.run(once=once)


if __name__ == "__main__":
    sys.exit(main())
