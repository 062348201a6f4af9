"""HTTP as bytes: what a client library would tidy up."""

import asyncio
from typing import NamedTuple

from aiohttp.test_utils import BaseTestServer
from multidict import CIMultiDict


def request(method: str, path: str, *headers: str, version: str = "1.1", body: bytes = b"") -> bytes:
    """A request with these headers beside those that every one needs."""
    lines = [f"{method} {path} HTTP/{version}", "Host: gateway", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Told(NamedTuple):
    """An answer, its head as it was sent."""

    line: str
    headers: CIMultiDict[str]
    body: bytes

    @property
    def status(self) -> int:
        """The status."""
        return int(self.line.split()[1])


class Connection:
    """One to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def answer(self) -> Told:
        """The next answer; its length must be told."""
        async with asyncio.timeout(30):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            line, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
            headers = CIMultiDict[str](tuple(one.split(": ", 1)) for one in lines)  # type: ignore[misc]
            length = 0 if line.split()[1] in {"100", "204"} else int(headers["Content-Length"])
            return Told(line, headers, await self._reader.readexactly(length))

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)

    async def ask(self, data: bytes) -> Told:
        """Send a request; its answer."""
        self.send(data)
        return await self.answer()

    async def rest(self) -> bytes:
        """What comes until the server closes."""
        async with asyncio.timeout(30):
            return await self._reader.read()

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()


async def connect(server: BaseTestServer) -> Connection:
    """A new connection."""
    return Connection(*await asyncio.open_connection(server.host, server.port))
