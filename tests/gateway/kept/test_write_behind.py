"""What is handed over is written in batches, also at the end, and once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from gateway.kept import write_behind
from gateway.kept.write_behind import WriteBehind
from tests.gateway.waiting import settle, until


class Store:
    """Where it is written to: takes what comes while `open` is set."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.begun = 0
        self.written: list[int] = []

    async def write(self, batch: Sequence[int]) -> None:
        """Write."""
        self.begun += 1
        await self.open.wait()
        self.written += batch


def stuck(monkeypatch: pytest.MonkeyPatch, write_s: float) -> tuple[Store, WriteBehind[int]]:
    """A store that takes nothing yet, and who writes to it at once, for at most so long."""
    monkeypatch.setattr(write_behind, "GATHER_S", 0.0)
    monkeypatch.setattr(write_behind, "WRITE_S", write_s)
    store = Store()
    store.open.clear()
    return store, WriteBehind("numbers", store.write, bound=10)


async def put_two(store: Store, writer: WriteBehind[int]) -> None:
    """The first is being written, the second waits."""
    writer.put(1)
    await until(lambda: store.begun == 1)
    writer.put(2)


@contextlib.asynccontextmanager
async def running(writer: WriteBehind[int]) -> AsyncIterator[None]:
    """At work until the block ends; then it is told to stop, as the gateway does."""
    task = asyncio.create_task(writer.run())
    await settle()
    yield
    task.cancel()
    async with asyncio.timeout(60):
        await asyncio.wait([task])
    assert task.cancelled()


async def test_what_is_left_when_it_is_told_to_stop_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_behind, "GATHER_S", 3600.0)
    store = Store()
    writer = WriteBehind("numbers", store.write, bound=3000)
    async with running(writer):
        for number in range(2500):
            writer.put(number)
        await settle()
        assert store.written == []
    assert store.written == list(range(2500))
    assert (list(writer.pending), writer.dropped) == ([], 0)


async def test_what_is_being_written_when_it_is_told_to_stop_is_written_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Written again, it would count twice."""
    store, writer = stuck(monkeypatch, write_s=60.0)
    async with running(writer):
        await put_two(store, writer)
        assert list(writer.pending) == [1, 2]
        asyncio.get_running_loop().call_later(0.01, store.open.set)
    assert store.written == [1, 2]
    assert (list(writer.pending), writer.dropped) == ([], 0)


async def test_what_cannot_be_written_at_the_end_is_counted_and_nothing_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, writer = stuck(monkeypatch, write_s=0.05)
    async with running(writer):
        await put_two(store, writer)
    assert (store.written, list(writer.pending), writer.dropped) == ([], [], 2)


async def test_without_anything_left_nothing_is_written_at_the_end() -> None:
    store = Store()
    async with running(WriteBehind("numbers", store.write, bound=10)):
        pass
    assert store.begun == 0
