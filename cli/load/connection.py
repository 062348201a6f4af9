"""Keep-alive connections, one request at a time on each, lent out by a pool."""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from cli.load.message import Address, Answer, MalformedAnswer, read_answer


class Connection(asyncio.Protocol):
    """One connection; made by `Pool`."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and not self._transport.is_closing() and self._waiting is None

    async def ask(self, request: bytes) -> Answer:
        """Send one request and wait for its answer.

        Raises:
            ConnectionError: the connection was lost, or what came is no answer.
        """
        if self._transport is None or not self.usable:
            raise ConnectionError("the connection is closed, or busy")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._waiting
        except asyncio.CancelledError:
            self._transport.abort()
            raise

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's."""
        self._transport = cast("asyncio.Transport", transport)  # what create_connection gives

    def data_received(self, data: bytes) -> None:
        """asyncio's."""
        self._received += data
        try:
            found = read_answer(self._received)
        except MalformedAnswer as error:
            self._end(error)
            return
        if found is not None:
            answer, length = found
            del self._received[:length]
            waiting, self._waiting = self._waiting, None
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio's."""
        self._end(ConnectionError(f"connection lost: {error or 'closed by the server'}"))

    def _end(self, error: ConnectionError) -> None:
        self.close()
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)


class Pool:
    """As many connections to one address as requests are under way at once; used again, last in first out."""

    def __init__(self, to: Address, tls: ssl.SSLContext | None = None) -> None:
        self._to = to
        self._tls = tls or (ssl.create_default_context() if to.tls else None)
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()

    async def ask(self, request: bytes) -> Answer:
        """Send a request over a free connection, or over a new one.

        Raises:
            OSError: no connection, or lost, or no answer to be read.
        """
        connection = await self._take()
        try:
            return await connection.ask(request)
        finally:
            if connection.usable:
                self._idle.append(connection)
            else:
                connection.close()
                self._all.discard(connection)

    async def open(self, count: int) -> None:
        """Have this many connections ready.

        Raises:
            OSError: the address cannot be connected to.
        """
        while len(self._idle) < count:
            self._idle.append(await self._connect())

    def close(self) -> None:
        """Close all of them."""
        for connection in self._all:
            connection.close()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            self._all.discard(connection)
        return await self._connect()

    async def _connect(self) -> Connection:
        make: Callable[[], Connection] = Connection
        _, connection = await asyncio.get_running_loop().create_connection(
            make, self._to.host, self._to.port, ssl=self._tls
        )
        self._all.add(connection)
        return connection
