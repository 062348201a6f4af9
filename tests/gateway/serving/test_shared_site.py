"""Connections fall evenly on those who share a listener, and nobody has to wait for one who stands still."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web

from gateway.board import Board, create
from gateway.serving import shared_site
from gateway.serving.listeners import BACKLOG, listen
from gateway.serving.shared_site import AHEAD, SharedSite
from stack.part import LOOPBACK
from tests.gateway.waiting import until

MANY = 40


class Full(socket.socket):
    """A listener in a process that has no descriptor left, for a while."""

    refusals = 0

    def accept(self) -> tuple[socket.socket, object]:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


class Place:
    """Two that share a listener; each names itself."""

    def __init__(self, board_file: int, listener: socket.socket) -> None:
        self.address = listener.getsockname()
        self.boards = [Board(board_file, row) for row in range(3)]
        self.listeners = [listener, Full(fileno=os.dup(listener.fileno()))]
        self.runners: list[web.AppRunner] = []

    async def start(self, place: int) -> SharedSite:
        async def named(_: web.Request) -> web.Response:
            return web.Response(text=str(place))

        app = web.Application()
        app.router.add_get("/", named)
        runner = web.AppRunner(app)
        await runner.setup()
        self.runners.append(runner)
        site = SharedSite(runner, self.listeners[place], self.boards[place], backlog=BACKLOG)
        await site.start()
        return site

    async def ask(self) -> tuple[asyncio.StreamWriter, int]:
        """A connection of its own, and who answered there."""
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            return writer, int(await reader.readexactly(1))

    async def crowd(self, count: int) -> tuple[list[asyncio.StreamWriter], list[int]]:
        """So many at once, and how many of them each has."""
        asked = await asyncio.gather(*(self.ask() for _ in range(count)))
        places = [place for _, place in asked]
        return [writer for writer, _ in asked], [places.count(place) for place in range(2)]


@pytest.fixture
def board_file() -> Iterator[int]:
    descriptor = create(3)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
async def place(board_file: int) -> AsyncIterator[Place]:
    (listener,) = listen(LOOPBACK, 0)
    made = Place(board_file, listener)
    yield made
    for runner in made.runners:
        await runner.cleanup()
    for one in made.listeners:
        one.close()


async def close(writers: list[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.close()
        await writer.wait_closed()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves connections to others for as long as it takes: this machine may be busy."""
    monkeypatch.setattr(shared_site, "COURTESY_S", 60.0)


async def test_a_crowd_is_shared_evenly(place: Place) -> None:
    await place.start(0)
    await place.start(1)
    writers, counts = await place.crowd(MANY)
    assert max(counts) - min(counts) <= AHEAD
    await close(writers)


@pytest.mark.usefixtures("patient")
async def test_newcomers_go_to_whoever_has_fewer(place: Place) -> None:
    await place.start(0)
    early, counts = await place.crowd(MANY)
    assert counts == [MANY, 0]
    await place.start(1)
    late, counts = await place.crowd(MANY)
    assert counts == [0, MANY]
    await close(early + late)


async def test_nobody_waits_for_one_that_stands_still(place: Place) -> None:
    await place.start(0)
    place.boards[1].write_connections(0)  # it would take connections, but is never heard of again
    writers, counts = await place.crowd(MANY)
    assert counts == [MANY, 0]
    await close(writers)


async def test_one_that_stops_leaves_what_comes_to_the_others_and_keeps_what_it_has(place: Place) -> None:
    first = await place.start(0)
    await place.start(1)
    writers, _ = await place.crowd(MANY)
    await first.stop()
    assert place.boards[1].fewest() is None
    late, counts = await place.crowd(MANY)
    assert counts == [0, MANY]
    assert sum(len(runner.server.connections) for runner in place.runners if runner.server) == 2 * MANY
    await close(writers + late)


async def test_what_is_being_opened_when_it_stops_does_not_make_it_one_that_takes_connections(
    place: Place,
) -> None:
    site = await place.start(0)
    with socket.create_connection(place.address, timeout=10):
        site._take()
        await site.stop()
        assert site._opening
        await until(lambda: not site._opening)
    assert place.boards[1].fewest() is None


async def test_without_descriptors_it_takes_nobody_and_then_everybody(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    full = place.listeners[1]
    assert isinstance(full, Full)
    await place.start(1)
    told = ["no connection can be taken: Too many open files"]
    for times in (1, 2):  # told once for each time that it happens
        full.refusals = 3
        writers, counts = await place.crowd(3)
        assert (counts, full.refusals) == ([0, 3], 0)
        assert [one.getMessage() for one in caplog.records] == times * told
        await close(writers)


async def test_what_is_open_is_told_to_the_others(place: Place) -> None:
    await place.start(0)
    assert place.boards[1].fewest() == 0
    writers, _ = await place.crowd(5)
    assert place.boards[1].fewest() == 5
    await close(writers)
    await until(lambda: not place.runners[0].server.connections)  # type: ignore[union-attr]  # it is there
    (writer, _) = await place.ask()
    assert place.boards[1].fewest() == 1
    await close([writer])
