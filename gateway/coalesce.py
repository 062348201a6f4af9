"""What arrives while calls are in flight leaves together in the next call. No timer: idle means at once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar

Lane = TypeVar("Lane", bound=Hashable)
Item = TypeVar("Item")
Answer = TypeVar("Answer")

Send = Callable[[Lane, Sequence[Item]], Coroutine[Any, Any, Sequence[Answer]]]
"""One call: the lane and its items to one answer per item, in order."""


class Coalescer(Generic[Lane, Item, Answer]):
    """Shares calls among items of the same lane: at most `in_flight` calls of a lane are under way.

    A waiter that is cancelled takes its items out of the queue; a call is cancelled once nobody waits for
    any of its items. A failed call fails its own items only.
    """

    def __init__(self, send: Send[Lane, Item, Answer], *, in_flight: int) -> None:
        self._send = send
        self._in_flight = in_flight
        self._lanes: dict[Lane, _Queue[Item, Answer]] = {}

    async def one(self, lane: Lane, item: Item, *, limit: int) -> Answer:
        """Send one item; `limit` is the most items one call of this lane may carry.

        Raises:
            Whatever its call raised.
        """
        entry = self._put(lane, [item], limit)[0]
        try:
            return await entry.answer
        except asyncio.CancelledError:
            self._withdraw(lane, [entry])
            raise

    async def many(self, lane: Lane, items: Sequence[Item], *, limit: int) -> list[Answer | BaseException]:
        """Send items, together as far as `limit` allows; a failed call stands in its items' places."""
        entries = self._put(lane, items, limit)
        try:
            return await asyncio.gather(*(entry.answer for entry in entries), return_exceptions=True)
        except asyncio.CancelledError:
            self._withdraw(lane, entries)
            raise

    def waiting(self) -> int:
        """Items that wait for a call."""
        return sum(len(queue.entries) for queue in self._lanes.values())

    def _put(self, lane: Lane, items: Sequence[Item], limit: int) -> "list[_Entry[Item, Answer]]":
        queue = self._lanes.get(lane)
        if queue is None:
            queue = self._lanes[lane] = _Queue()
        queue.limit = max(1, limit)
        loop = asyncio.get_running_loop()
        entries = [_Entry[Item, Answer](item, loop.create_future()) for item in items]
        queue.entries.update(dict.fromkeys(entries))
        self._pump(lane, queue)
        return entries

    def _pump(self, lane: Lane, queue: "_Queue[Item, Answer]") -> None:
        while queue.entries and queue.calls < self._in_flight:
            leaving = list(islice(queue.entries, queue.limit))
            for entry in leaving:
                del queue.entries[entry]
            queue.calls += 1
            task = asyncio.create_task(self._send(lane, [entry.item for entry in leaving]))
            call = _Call(task, len(leaving))
            for entry in leaving:
                entry.call = call
            task.add_done_callback(partial(self._done, lane, queue, leaving))
        if not queue.entries and not queue.calls:
            self._lanes.pop(lane, None)

    def _done(
        self,
        lane: Lane,
        queue: "_Queue[Item, Answer]",
        entries: "list[_Entry[Item, Answer]]",
        task: "asyncio.Task[Sequence[Answer]]",
    ) -> None:
        queue.calls -= 1
        self._pump(lane, queue)
        waited_for = [(place, entry.answer) for place, entry in enumerate(entries) if not entry.answer.done()]
        if task.cancelled():
            for _, answer in waited_for:
                answer.cancel()
        elif (error := task.exception()) is not None:
            for _, answer in waited_for:
                answer.set_exception(error)
        else:
            answers = task.result()
            for place, answer in waited_for:
                answer.set_result(answers[place])

    def _withdraw(self, lane: Lane, entries: "list[_Entry[Item, Answer]]") -> None:
        for entry in entries:
            if not entry.answer.cancel() and not entry.answer.cancelled():
                entry.answer.exception()  # heard of, though nobody waits any more
            if entry.call is not None:
                entry.call.leave()
            elif (queue := self._lanes.get(lane)) is not None:
                queue.entries.pop(entry, None)


class _Call:
    """A call under way and how many of its items somebody still waits for."""

    __slots__ = ("task", "waiters")

    def __init__(self, task: "asyncio.Task[Any]", waiters: int) -> None:
        self.task = task
        self.waiters = waiters

    def leave(self) -> None:
        self.waiters -= 1
        if self.waiters == 0:
            self.task.cancel()


class _Entry(Generic[Item, Answer]):
    __slots__ = ("answer", "call", "item")

    def __init__(self, item: Item, answer: "asyncio.Future[Answer]") -> None:
        self.item = item
        self.answer = answer
        self.call: _Call | None = None


class _Queue(Generic[Item, Answer]):
    """One lane: a dict as an ordered set, so that a cancelled entry leaves at once."""

    __slots__ = ("calls", "entries", "limit")

    def __init__(self) -> None:
        self.entries: dict[_Entry[Item, Answer], None] = {}
        self.calls = 0
        self.limit = 1
