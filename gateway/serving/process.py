"""One process that serves: from its listening sockets to its last answer.

Draining: `/ready` says 503 at once, connections are still taken for as long as the options say, then none;
every answer closes its connection; what is under way may end.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from gateway.app import make_runner, make_sites
from gateway.board import Board
from gateway.config import Config
from gateway.errors import FixgateError
from gateway.keys import SERVICES, SIBLINGS
from gateway.services import Services
from gateway.serving.listeners import Listen
from gateway.serving.worker_link import BUFFER

log = logging.getLogger(__name__)

RELOAD_S = 30.0
LEAVE_S = 2.0
"""How long idle connections are given to be used once more, and told then that they close."""

YOUNG_OBJECTS = 5000
"""So many new objects before the collector looks at them; Python's own 700 are there in every burst."""


async def serve(
    config: Config,
    listen: Listen,
    link: socket.socket | None = None,
    *,
    board: Board | None = None,
    waits: bool = False,
) -> None:
    """Serve until told to stop; then drain.

    Args:
        listen: gives the listening sockets, when all else is ready.
        link: to the parent, for one of several workers; it stops when the parent is gone.
        board: what all workers see, likewise.
        waits: take no connection before this process has been ready.

    Raises:
        OSError: the address cannot be listened on.
        ConfigError: a file that an option names cannot be used.
    """
    stop = asyncio.Event()
    runner = make_runner(config, board=board)
    await runner.setup()
    services = runner.app[SERVICES]
    _stop_on_signals(stop)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        if link is None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload_once(services))
        else:
            await stack.enter_async_context(_linked(runner.app, link, stop))
        if waits:
            await _either(services.readiness.started, stop)
        _spare_the_collector()
        for site in make_sites(runner, config, listen, board):
            await site.start()
            log.info("listening on %s", site.name)
        runner.app[SIBLINGS].up()
        await stop.wait()
        services.readiness.draining = True
        log.info("draining")
        await asyncio.sleep(config.drain_delay_s)
        await _close_for_newcomers(runner)


async def reload(services: Services) -> None:
    """Ask sync to look at the registry now, and log what comes of it."""
    try:
        reply = await services.commands.ask("reload", by="gateway, told by SIGHUP", timeout_s=RELOAD_S)
    except FixgateError as error:
        log.error("reload: %s", error.detail)  # noqa: TRY400 the message says it all
        return
    log.log(logging.INFO if reply.ok else logging.ERROR, "reload: %s", reply.message)


def _spare_the_collector() -> None:
    """What is there by now stays: looking through all of it again takes 35 ms, in which nobody is served.

    A hundred requests under way are some thousand objects, which go without the collector's help.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


async def _either(*events: asyncio.Event) -> None:
    """Wait for one of them."""
    waiting = [asyncio.create_task(one.wait()) for one in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


async def _close_for_newcomers(runner: web.AppRunner) -> None:
    """Stop listening; who uses an open connection within a moment is answered, and told that it closes."""
    for site in list(runner.sites):
        await site.stop()
    server, loop = runner.server, asyncio.get_running_loop()
    until = loop.time() + LEAVE_S
    while server is not None and server.connections and loop.time() < until:  # noqa: ASYNC110 nobody is told
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def _linked(app: web.Application, link: socket.socket, stop: asyncio.Event) -> AsyncIterator[None]:
    siblings = app[SIBLINGS]
    reader, writer = await asyncio.open_connection(sock=link, limit=BUFFER)
    siblings.link(writer)

    async def follow() -> None:
        await siblings.follow(reader, _reload_once(app[SERVICES]))
        stop.set()

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        siblings.tell()
        with contextlib.suppress(OSError):
            await writer.drain()
        following.cancel()
        await asyncio.wait([following])
        writer.close()


def _reload_once(services: Services) -> Callable[[], None]:
    """Not again while one is under way."""
    under_way: set[asyncio.Task[None]] = set()

    def told() -> None:
        if not under_way:
            task = asyncio.create_task(reload(services))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    return told


def _stop_on_signals(stop: asyncio.Event) -> None:
    """The first signal begins to drain; a second one ends the process at once."""

    def told() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told)
