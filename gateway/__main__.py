"""Run the gateway: `python -m gateway`. Options: gateway/config.py, or `fixgate gateway --help`."""

import logging
import os
import sys
import time

import uvloop

from contract.environment import unknown
from contract.logs import configure
from gateway.access.policy import make_access
from gateway.config import Config, ConfigError, from_env
from gateway.serving.listeners import listen
from gateway.serving.process import serve
from gateway.serving.tls import server_context
from gateway.serving.workers import Workers

log = logging.getLogger("gateway")


def main() -> None:
    """Read the options and serve until SIGTERM or SIGINT."""
    try:
        config = from_env()
    except ConfigError as error:
        sys.exit(f"fixgate gateway: {error}")
    configure(config.log_level, config.log_format)
    for name in unknown(os.environ):
        log.warning("%s is not an option of any part of fixgate: is it misspelt?", name)
    try:
        run(config)
    except ConfigError as error:
        sys.exit(f"fixgate gateway: {error}")
    except OSError as error:
        sys.exit(
            f"fixgate gateway: cannot listen on {config.host}:{config.port} (FIXGATE_PORT): {error.strerror}"
        )


def run(config: Config) -> None:
    """Serve, in this process or in several workers of it.

    Raises:
        OSError: the address cannot be listened on.
        ConfigError: a file that an option names cannot be used.
    """
    if config.workers == 1:
        uvloop.run(serve(config, lambda: listen(config.host, config.port)))
        return
    make_access(config, time.monotonic)  # what no worker could start with is told once, here
    if config.tls_cert and config.tls_key:
        server_context(config.tls_cert, config.tls_key)
    uvloop.run(Workers(config.workers, listen(config.host, config.port)).run())


if __name__ == "__main__":
    main()
