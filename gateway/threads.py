"""Threads for parsing and the signal front-end, and how long new work would wait for one."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, NamedTuple, TypeVar

from gateway.admission import ByteShare

T = TypeVar("T")

_NEWEST = 1 / 12


class _Pace(NamedTuple):
    """Means over the newest work of a kind; their ratio is robust to small work with a fixed cost."""

    seconds: float
    size: float


class Threads:
    """An executor of `count` threads whose work is measured.

    Work is of a kind, and has a size in the unit that its duration goes by: bytes to parse, samples to
    transform.
    """

    def __init__(self, executor: Executor, count: int) -> None:
        self._executor = executor
        self._count = count
        self._paces: dict[str, _Pace] = {}
        self._backlog_s = 0.0

    @property
    def wait_s(self) -> float:
        """Predicted seconds until new work would begin; work of a kind not measured yet counts as nothing."""
        return self._backlog_s / self._count

    async def run(self, kind: str, size: int, work: Callable[[], T], share: ByteShare | None = None) -> T:
        """The result of `work` by one of the threads.

        Cancelled before its turn, it never begins, and is forgotten at once. Cancelled later, it goes on:
        until its end others wait for it, and what `share` holds stays held.

        Raises:
            Whatever `work` raised.
        """
        loop, expected_s = asyncio.get_running_loop(), self._takes_s(kind, size)
        waiting = [work]  # the executor keeps what was cancelled until it has a thread for it
        future = self._executor.submit(self._measured, kind, size, waiting)
        self._backlog_s += expected_s
        try:
            return await asyncio.wrap_future(future, loop=loop)
        finally:
            if future.done():
                waiting.clear()
                self._backlog_s -= expected_s
            else:
                ended = partial(self._ended, expected_s, share.handed_over() if share else None)
                future.add_done_callback(partial(_tell, loop, ended))

    def _ended(self, expected_s: float, give_back: Callable[[], None] | None) -> None:
        """Work that was cancelled while it was done is over."""
        self._backlog_s -= expected_s
        if give_back is not None:
            give_back()

    def _takes_s(self, kind: str, size: int) -> float:
        pace = self._paces.get(kind)
        return pace.seconds / pace.size * size if pace else 0.0

    def _measured(self, kind: str, size: int, waiting: list[Callable[[], T]]) -> T:
        work, started = waiting.pop(), time.perf_counter()
        try:
            return work()
        finally:
            self._observe(kind, max(1, size), time.perf_counter() - started)

    def _observe(self, kind: str, size: int, seconds: float) -> None:
        before = self._paces.get(kind) or _Pace(seconds, size)
        self._paces[kind] = _Pace(
            before.seconds + _NEWEST * (seconds - before.seconds),
            before.size + _NEWEST * (size - before.size),
        )


def _tell(loop: asyncio.AbstractEventLoop, ended: Callable[[], None], _: Future[Any]) -> None:
    """From a thread."""
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody counts any more
        loop.call_soon_threadsafe(ended)
