"""Identical concurrent requests share one flight; what it brings back is kept by nobody here."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Flights(Generic[Key, Answer]):
    """One task per key while somebody waits for it.

    A waiter that is cancelled leaves the others' flight alone; the last one to leave cancels it. A failure
    reaches those who waited for it and nobody after them.
    """

    def __init__(self) -> None:
        self._flights: dict[Key, _Flight[Answer]] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._flights

    async def join(self, key: Key, start: Callable[[], Coroutine[Any, Any, Answer]]) -> tuple[Answer, bool]:
        """The answer of the flight under way for `key`, or of the one that `start` makes.

        Returns:
            The answer, and whether another's flight brought it.

        Raises:
            Whatever the flight raised.
        """
        flight = self._flights.get(key)
        joined = flight is not None
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(start()))
            flight.task.add_done_callback(partial(self._landed, key, flight))
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        flight.waiting[answer] = None
        try:
            return await answer, joined
        except asyncio.CancelledError:
            self._leave(key, flight, answer)
            raise

    def _leave(self, key: Key, flight: "_Flight[Answer]", answer: "asyncio.Future[Answer]") -> None:
        del flight.waiting[answer]
        if not flight.waiting and not flight.task.done():
            self._forget(key, flight)
            flight.task.cancel()

    def _landed(self, key: Key, flight: "_Flight[Answer]", task: "asyncio.Task[Answer]") -> None:
        self._forget(key, flight)
        waiting = [answer for answer in flight.waiting if not answer.done()]
        if task.cancelled():
            for answer in waiting:
                answer.cancel()
        elif (error := task.exception()) is not None:
            for answer in waiting:
                answer.set_exception(error)
        else:
            for answer in waiting:
                answer.set_result(task.result())

    def _forget(self, key: Key, flight: "_Flight[Answer]") -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


class _Flight(Generic[Answer]):
    __slots__ = ("task", "waiting")

    def __init__(self, task: "asyncio.Task[Answer]") -> None:
        self.task = task
        self.waiting: dict[asyncio.Future[Answer], None] = {}
