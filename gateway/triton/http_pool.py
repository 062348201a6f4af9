"""A few lines of HTTP/1.1 to one server: requests as ready-made bytes, answers with a Content-Length.

For calls by the thousand each second on long-lived connections, where a client for the web would cost more
than the calls do. One request at a time on a connection; what is not understood ends the connection.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, cast

CONNECT_S = 1.0
HEAD_BYTES = 64 << 10
BODY_BYTES = 64 << 20

Buffer = bytes | memoryview


class NotConnected(Exception):
    """No connection could be made."""


class Lost(Exception):
    """The connection ended before the answer did."""


class Garbage(Exception):
    """The answer is no HTTP/1.1 with a Content-Length, or too large."""


class Answer(NamedTuple):
    """Header names are in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class HttpPool:
    """Connections to one server, as many as there are requests at once. Made inside the event loop."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()

    async def ask(self, request: Sequence[Buffer]) -> Answer:
        """Send a request; cancelled, it takes its connection with it.

        Raises:
            NotConnected, Lost, Garbage.
        """
        connection = self._idle.pop() if self._idle else await self._connect()
        try:
            answer = await connection.ask(request)
        except BaseException:
            connection.abort()
            raise
        if connection.reusable:
            self._idle.append(connection)
        return answer

    def close(self) -> None:
        """End every connection."""
        for connection in list(self._all):
            connection.abort()

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self), self._host, self._port
                )
        except (OSError, TimeoutError) as error:
            raise NotConnected(str(error) or "no connection in time") from error
        return connection

    def came(self, connection: "_Connection") -> None:
        """A connection was made."""
        self._all.add(connection)

    def went(self, connection: "_Connection") -> None:
        """A connection ended."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)


class _Connection(asyncio.Protocol):
    def __init__(self, pool: HttpPool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport
        self._received = bytearray()
        self._answer: asyncio.Future[Answer] | None = None
        self.reusable = True

    def ask(self, request: Sequence[Buffer]) -> "asyncio.Future[Answer]":
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.writelines(request)
        return self._answer

    def abort(self) -> None:
        self.reusable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class
        self._pool.came(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._answer is None or self._answer.done():
            self.abort()  # nothing was asked
            return
        try:
            answer = parsed(self._received)
        except Garbage as error:
            self._answer.set_exception(error)
            return
        if answer is not None:
            self._received.clear()
            self.reusable = answer.headers.get(b"connection", b"").lower() != b"close"
            self._answer.set_result(answer)
            if not self.reusable:
                self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._pool.went(self)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Lost(str(exc or "the connection was closed")))


def parsed(received: bytearray) -> Answer | None:
    """The answer, when all of it is there.

    Raises:
        Garbage: it never will be.
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        if len(received) > HEAD_BYTES or not b"HTTP/1.1 ".startswith(received[:9]):
            raise Garbage("no HTTP/1.1 head")
        return None
    start, *lines = bytes(received[:end]).split(b"\r\n")
    version, _, rest = start.partition(b" ")
    status = rest[:3]
    headers = {
        name.lower(): value.strip()
        for name, colon, value in (line.partition(b":") for line in lines)
        if colon
    }
    length = headers.get(b"content-length", b"")
    if version != b"HTTP/1.1" or not status.isdigit() or not length.isdigit():
        raise Garbage("no HTTP/1.1 head with a Content-Length")
    body, size = end + 4, int(length)
    if size > BODY_BYTES or len(received) > body + size:
        raise Garbage("a body larger than it may be")
    if len(received) < body + size:
        return None
    return Answer(int(status), headers, bytes(received[body:]))
