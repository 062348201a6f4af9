"""Identical concurrent requests share one flight; what it brings back is kept by nobody here."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
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
            flight.task.add_done_callback(lambda _: self._forget(key, flight))
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task), joined
        finally:
            flight.waiters -= 1
            if flight.waiters == 0 and not flight.task.done():
                self._forget(key, flight)
                flight.task.cancel()

    def _forget(self, key: Key, flight: "_Flight[Answer]") -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


class _Flight(Generic[Answer]):
    __slots__ = ("task", "waiters")

    def __init__(self, task: "asyncio.Task[Answer]") -> None:
        self.task = task
        self.waiters = 0
