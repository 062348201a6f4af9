"""A server in the place of Triton's HTTP listener, which tells what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np


class HttpTriton:
    """Calls are echoed (see `stand.echo_model`); `traceparents` as a `HoldingTriton` has them."""

    def __init__(self) -> None:
        self.traceparents: list[str] = []
        self.address = ""
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._writers.append(writer)
        try:
            while True:
                head = await _head(reader)
                body = await reader.readexactly(int(head["content-length"]))
                self.traceparents.append(head.get("traceparent", ""))
                writer.write(_answer(body[int(head["inference-header-content-length"]) :]))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass

    def close(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def http_triton() -> AsyncIterator[HttpTriton]:
    """The server, listening."""
    made = HttpTriton()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.address = "{}:{}".format(*server.sockets[0].getsockname())
        yield made
        made.close()


async def _head(reader: asyncio.StreamReader) -> dict[str, str]:
    """Headers by their names in lower case."""
    _, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return {name.lower(): value.strip() for name, _, value in pairs}


def _answer(content: bytes) -> bytes:
    rows = np.frombuffer(content, np.float32).reshape(-1, 5)
    named = {"positions": rows[:, :2], "uncertainties": rows[:, 2:]}
    outputs = [
        {"name": name, "datatype": "FP32", "shape": one.shape, "parameters": {"binary_data_size": one.nbytes}}
        for name, one in named.items()
    ]
    document = json.dumps({"outputs": outputs}).encode()
    body = b"".join([document, *(one.tobytes() for one in named.values())])
    head = (
        f"HTTP/1.1 200 OK\r\nInference-Header-Content-Length: {len(document)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
