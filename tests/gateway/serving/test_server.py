"""A large answer to a client that takes it slowly, or no more, over real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from aiohttp import web

from gateway.serving.server import Runner, _Connection
from tests.gateway.bare_server import bare_application
from tests.gateway.serving.raw_http import request
from tests.gateway.waiting import until

BODY = bytes(32 << 20)
"""Far more than the kernel keeps of it."""

PIECE = 1 << 16
HOUR_S = 3600.0


@contextlib.asynccontextmanager
async def asked(send_timeout_s: float) -> AsyncIterator[tuple[socket.socket, _Connection]]:
    """A client that has asked for BODY and taken none of it, and the server's end of its connection."""
    app, loop = bare_application(), asyncio.get_running_loop()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=BODY)

    app.router.add_get("/", answer)
    runner = Runner(app, send_timeout_s=send_timeout_s, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
            client.setblocking(False)
            await loop.sock_connect(client, runner.addresses[0])
            await loop.sock_sendall(client, request("GET", "/", "Connection: close"))
            assert runner.server is not None
            await until(lambda: runner.server is not None and bool(runner.server.connections))
            (connection,) = runner.server.connections
            assert isinstance(connection, _Connection)
            await until(lambda: connection._untaken is not None)
            yield client, connection
    finally:
        await runner.cleanup()


def left(connection: _Connection) -> int:
    """Bytes that the client has not taken, nor the kernel for it; none when the connection is gone."""
    return connection.transport.get_write_buffer_size() if connection.transport is not None else 0


async def take(client: socket.socket) -> bytes:
    """Some more of the answer; none at its end."""
    try:
        return await asyncio.get_running_loop().sock_recv(client, PIECE)
    except ConnectionResetError:
        return b""


async def test_a_client_that_goes_on_taking_its_answer_gets_all_of_it_however_long_that_takes() -> None:
    async with asyncio.timeout(60), asked(HOUR_S) as (client, connection):
        taken = 0
        for _ in range(3):
            before, timer = left(connection), connection._untaken
            while left(connection) >= before:
                taken += len(await take(client))
            connection._look()  # as at the end of the hour
            assert connection.transport is not None
            assert not connection.transport.is_closing()
            assert connection._untaken is not timer
        while connection._untaken is not None:  # until the server has nothing more in hand
            taken += len(await take(client))
        while piece := await take(client):
            taken += len(piece)
        assert taken > len(BODY)


async def test_a_client_that_stops_taking_its_answer_is_closed() -> None:
    async with asyncio.timeout(60), asked(0.1) as (client, connection):
        taken, before = 0, left(connection)
        while left(connection) >= before:
            taken += len(await take(client))
        await until(lambda: connection.transport is None)
        while piece := await take(client):
            taken += len(piece)
        assert taken < len(BODY)
