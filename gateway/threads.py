"""Threads for parsing and the signal front-end, and how long new work would wait for one."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import NamedTuple, TypeVar

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

    async def run(self, kind: str, size: int, work: Callable[[], T]) -> T:
        """The result of `work` by one of the threads. Cancelled before its turn, it never begins.

        Raises:
            Whatever `work` raised.
        """
        expected_s = self._takes_s(kind, size)
        self._backlog_s += expected_s
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, partial(self._measured, kind, size, work))
        finally:
            self._backlog_s -= expected_s

    def _takes_s(self, kind: str, size: int) -> float:
        pace = self._paces.get(kind)
        return pace.seconds / pace.size * size if pace else 0.0

    def _measured(self, kind: str, size: int, work: Callable[[], T]) -> T:
        started = time.perf_counter()
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
