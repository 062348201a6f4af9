"""Run the gateway: `python -m gateway`. Options: gateway/config.py, or `fixgate gateway --help`."""

import asyncio
import logging
import os
import signal
import sys

import uvloop

from contract.environment import unknown
from contract.logs import configure
from gateway.app import make_runner, make_site
from gateway.config import Config, ConfigError, from_env
from gateway.keys import SERVICES

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
        uvloop.run(serve(config))
    except ConfigError as error:
        sys.exit(f"fixgate gateway: {error}")
    except OSError as error:
        sys.exit(
            f"fixgate gateway: cannot listen on {config.host}:{config.port} (FIXGATE_PORT): {error.strerror}"
        )


async def serve(config: Config) -> None:
    """Serve until told to stop; then drain.

    Raises:
        OSError: the address cannot be listened on.
        ConfigError: a file that an option names cannot be used.
    """
    stop = asyncio.Event()
    _on_signals(stop)
    runner = make_runner(config)
    await runner.setup()
    try:
        site = make_site(runner, config)
        await site.start()
        log.info("listening on %s", site.name)
        await stop.wait()
        runner.app[SERVICES].readiness.draining = True
        log.info("draining")
        await asyncio.sleep(config.drain_delay_s)
    finally:
        await runner.cleanup()


def _on_signals(stop: asyncio.Event) -> None:
    """The first signal begins to drain; a second one ends the process at once."""

    def told() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told)


if __name__ == "__main__":
    main()
