"""HTTP/1.1 as far as calls need it, against servers of sockets that answer as a test says."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.triton.http_pool import (
    BODY_BYTES,
    HEAD_BYTES,
    Answer,
    Garbage,
    HttpPool,
    Lost,
    NotConnected,
    parsed,
)
from tests.gateway.waiting import until
from tests.launch import free_ports

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


class Server:
    """Gives each request the next answer; None ends the connection instead."""

    def __init__(self) -> None:
        self.answers: list[bytes | None] = []
        self.connections = 0
        self.gone = 0
        self.received = b""
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.read(1 << 16):
                self.received += head
                answer = self.answers.pop(0) if self.answers else OK
                if answer is None:
                    break
                writer.write(answer)
        except ConnectionError:
            pass
        self.gone += 1
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Listening."""
    made = Server()
    listener = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.address = "{}:{}".format(*listener.sockets[0].getsockname())
    yield made
    listener.close()
    await listener.wait_closed()


@pytest.fixture
async def pool(server: Server) -> AsyncIterator[HttpPool]:
    """A pool for it."""
    pool = HttpPool(server.address)
    yield pool
    pool.close()


def test_an_answer_is_parsed_when_all_of_it_is_there() -> None:
    whole = b"HTTP/1.1 404 Not Found\r\nContent-Type: a/b\r\ncontent-length:  5 \r\n\r\nwords"
    for end in range(len(whole)):
        assert parsed(bytearray(whole[:end])) is None
    assert parsed(bytearray(whole)) == Answer(
        404, {b"content-type": b"a/b", b"content-length": b"5"}, b"words"
    )


@pytest.mark.parametrize(
    "received",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nmore",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES + 1),
        b"HTTP/1.1 200 OK\r\n" + b"x" * HEAD_BYTES,
    ],
)
def test_what_is_no_such_answer_is_garbage(received: bytes) -> None:
    with pytest.raises(Garbage):
        parsed(bytearray(received))


async def test_one_connection_serves_one_request_after_the_other(pool: HttpPool, server: Server) -> None:
    for _ in range(3):
        assert (await pool.ask([b"POST / HTTP/1.1\r\n", memoryview(b"\r\n")])).body == b"hi"
    assert server.connections == 1
    assert server.received == b"POST / HTTP/1.1\r\n\r\n" * 3


async def test_requests_at_once_have_connections_of_their_own(pool: HttpPool, server: Server) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number for number in range(5)]
    answers = await asyncio.gather(*(pool.ask([REQUEST]) for _ in range(5)))
    assert sorted(answer.body for answer in answers) == [b"0", b"1", b"2", b"3", b"4"]
    assert server.connections == 5


@pytest.mark.parametrize(
    ("answer", "error"),
    [(None, Lost), (b"nonsense, to be sure\r\n\r\n", Garbage), (OK + b"and more", Garbage)],
)
async def test_a_connection_that_went_wrong_is_not_used_again(
    pool: HttpPool, server: Server, answer: bytes | None, error: type[Exception]
) -> None:
    server.answers = [answer]
    with pytest.raises(error):
        await pool.ask([REQUEST])
    await until(lambda: server.gone == 1)
    assert (await pool.ask([REQUEST])).body == b"hi"
    assert server.connections == 2


async def test_an_answer_that_ends_in_the_middle_is_lost() -> None:
    async def half(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK[:-1])
        writer.close()

    listener = await asyncio.start_server(half, "127.0.0.1", 0)
    pool = HttpPool("{}:{}".format(*listener.sockets[0].getsockname()))
    with pytest.raises(Lost):
        await pool.ask([REQUEST])
    listener.close()
    await listener.wait_closed()


async def test_a_server_that_says_it_closes_is_believed(pool: HttpPool, server: Server) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"]
    for _ in range(2):
        assert (await pool.ask([REQUEST])).body == b"hi"
    assert server.connections == 2


async def test_a_connection_that_was_closed_while_idle_is_not_used(server: Server) -> None:
    pool = HttpPool(server.address)
    await pool.ask([REQUEST])
    [connection] = pool._idle
    server.answers = [None]
    connection._transport.write(b"x")  # the server ends it
    await until(lambda: pool._idle == [])
    assert (await pool.ask([REQUEST])).body == b"hi"
    pool.close()


async def test_a_cancelled_request_takes_its_connection_with_it(pool: HttpPool, server: Server) -> None:
    """Its answer would be taken for the next one's."""
    server.answers = [b""]
    asked = asyncio.create_task(pool.ask([REQUEST]))
    await until(lambda: server.received == REQUEST)
    asked.cancel()
    await asyncio.wait([asked])
    await until(lambda: server.gone == 1)
    assert (await pool.ask([REQUEST])).body == b"hi"
    assert server.connections == 2


async def test_nobody_there_is_not_connected() -> None:
    pool = HttpPool(f"127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(NotConnected):
        await pool.ask([REQUEST])


async def test_the_end_fails_what_is_under_way(pool: HttpPool, server: Server) -> None:
    server.answers = [b""]
    asked = asyncio.create_task(pool.ask([REQUEST]))
    await until(lambda: server.received == REQUEST)
    pool.close()
    with pytest.raises(Lost):
        await asked
    await until(lambda: server.gone == 1)
