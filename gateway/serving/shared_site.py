"""A listener from which several workers take connections: one a round, and nobody many more than others.

uvloop takes all that wait at once. Of a hundred clients that come together one worker would get eighty, and
be busy with them while others stand still.
"""

import asyncio
import logging
import socket
from typing import Any

from aiohttp import web
from aiohttp.web_runner import BaseSite

from gateway.board import Board

log = logging.getLogger(__name__)

AHEAD = 4
"""So many connections more than another may a worker have before it leaves the next one to others."""

COURTESY_S = 0.002
"""For how long it does: they may stand still."""

PAUSE_S = 0.1
"""Before the next connection is taken when one could not be, as without a free file descriptor."""


class SharedSite(web.SockSite):
    """aiohttp's, for one of several workers; `board` tells how many connections each has."""

    def __init__(self, runner: web.AppRunner, listener: socket.socket, board: Board, **options: Any) -> None:
        super().__init__(runner, listener, **options)
        self._listener = listener
        self._board = board
        self._opening: dict[asyncio.Task[None], web.RequestHandler] = {}
        self._later: asyncio.TimerHandle | None = None
        self._failing = False

    async def start(self) -> None:
        """Take connections from now on."""
        await BaseSite.start(self)
        self._listener.setblocking(False)
        self._listener.listen(self._backlog)
        self._tell()
        self._watch()

    async def stop(self) -> None:
        """Take no more; what is open stays so."""
        if self._later is not None:
            self._later.cancel()
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._tell()
        await super().stop()

    def _watch(self) -> None:
        asyncio.get_running_loop().add_reader(self._listener, self._offered)

    def _offered(self) -> None:
        """A connection waits: take it now, or in a moment if one that has fewer has not taken it by then."""
        self._tell()
        fewest = self._board.fewest()
        if fewest is None or self._open() <= fewest + AHEAD:
            self._take()
        else:
            self._rest(COURTESY_S)

    def _rest(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        self._later = loop.call_later(seconds, self._back)

    def _back(self) -> None:
        self._watch()
        self._take()

    def _take(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was quicker, or the client has left
        except OSError as error:
            if not self._failing:
                log.error("no connection can be taken: %s", error.strerror)  # noqa: TRY400 it says it all
            self._failing = True
            self._rest(PAUSE_S)
            return
        self._failing = False
        assert self._runner.server is not None  # noqa: S101 it is there as long as its sites
        protocol = self._runner.server()
        opening = asyncio.create_task(self._serve(connection, protocol))
        self._opening[opening] = protocol
        opening.add_done_callback(self._opened)
        self._tell()

    def _opened(self, opening: asyncio.Task[None]) -> None:
        del self._opening[opening]
        self._tell()

    async def _serve(self, connection: socket.socket, protocol: web.RequestHandler) -> None:
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: protocol, connection, ssl=self._ssl_context)
        except OSError as error:  # TLS that is none, or takes too long, among them
            log.debug("a connection was lost before its first request: %s", error)
            connection.close()

    def _tell(self) -> None:
        """What is open here; nothing more once no connections are taken, whatever is still being opened."""
        closed = self._listener.fileno() < 0
        self._board.write_connections(None if closed else self._open())

    def _open(self) -> int:
        """Connections, those included that are being opened: of TLS, whose handshake takes a while."""
        server = self._runner.server
        arriving = sum(protocol.transport is None for protocol in self._opening.values())
        return arriving + (len(server.connections) if server else 0)
