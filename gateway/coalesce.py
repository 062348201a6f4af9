"""What arrives while calls are in flight leaves together in the next call. No timer: idle means at once.

Single requests leave before batches, which have a share of every call that both wait for; mirrored traffic
leaves when nothing else waits anywhere, one call at a time.

What is too much for one call is shared evenly among as few as it takes, so that a model's instances, which
run them side by side, are done at the same time: 100 rows at 32 a call are four calls of 25.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar

from gateway.in_flight import InFlight
from gateway.priority import BATCH_SHARE, Priority

Lane = TypeVar("Lane", bound=Hashable)
Item = TypeVar("Item")
Answer = TypeVar("Answer")

Send = Callable[[Lane, Sequence[Item]], Coroutine[Any, Any, Sequence[Answer]]]
"""One call: the lane and its items to one answer per item, in order."""


class Coalescer(Generic[Lane, Item, Answer]):
    """Shares calls among items of the same lane: as many calls of a lane as `in_flight` allows are under way.

    A waiter that is cancelled takes its items out of the queue. A call that nobody waits for any more keeps
    its place until it ends, for it is worked on all the same; when it takes too long, it is cancelled. A
    failed call fails its own items only.

    Args:
        patience_s: from its beginning, how long a call of a lane with so many items may take then.
    """

    def __init__(
        self,
        send: Send[Lane, Item, Answer],
        in_flight: InFlight,
        patience_s: Callable[[Lane, int], float] = lambda *_: 0.0,
    ) -> None:
        self._send = send
        self._in_flight = in_flight
        self._patience_s = patience_s
        self._lanes: dict[Lane, _Queue[Item, Answer]] = {}
        self._waiting = [0] * len(Priority)
        self._mirrored: dict[Lane, None] = {}
        self._mirroring = False

    async def one(
        self, lane: Lane, item: Item, *, limit: int, priority: Priority = Priority.INTERACTIVE
    ) -> Answer:
        """Send one item; `limit` is the most items one call of this lane may carry.

        Raises:
            Whatever its call raised.
        """
        (entry,) = self._put(lane, [item], limit, priority)
        try:
            return await entry.answer
        except asyncio.CancelledError:
            self._withdraw(lane, [entry])
            raise

    async def many(
        self, lane: Lane, items: Sequence[Item], *, limit: int, priority: Priority = Priority.INTERACTIVE
    ) -> list[Answer | BaseException]:
        """Send items, together as far as `limit` allows; a failed call stands in its items' places."""
        entries = self._put(lane, items, limit, priority)
        try:
            return await asyncio.gather(*(entry.answer for entry in entries), return_exceptions=True)
        except asyncio.CancelledError:
            self._withdraw(lane, entries)
            raise

    def waiting(self) -> int:
        """Items that wait for a call."""
        return sum(self._waiting)

    def _put(
        self, lane: Lane, items: Sequence[Item], limit: int, priority: Priority
    ) -> "list[_Entry[Item, Answer]]":
        queue = self._lanes.get(lane)
        if queue is None:
            queue = self._lanes[lane] = _Queue()
        queue.limit = max(1, limit)
        loop = asyncio.get_running_loop()
        entries: list[_Entry[Item, Answer]] = [_Entry(item, priority, loop.create_future()) for item in items]
        queue.entries[priority].update(dict.fromkeys(entries))
        self._waiting[priority] += len(entries)
        if priority is Priority.SHADOW:
            self._mirrored[lane] = None
        self._pump(lane, queue)
        return entries

    def _pump(self, lane: Lane, queue: "_Queue[Item, Answer]") -> None:
        while self._in_flight.allows(lane, queue.calls) and (leaving := queue.take()):
            self._leave(lane, queue, leaving)
        self._mirror()
        if not queue.calls and not any(queue.entries):
            self._lanes.pop(lane, None)

    def _mirror(self) -> None:
        """Send mirrored items when nothing else waits."""
        if self._mirroring or self._waiting[Priority.INTERACTIVE] or self._waiting[Priority.BATCH]:
            return
        for lane in self._mirrored:
            queue = self._lanes[lane]
            if self._in_flight.allows(lane, queue.calls):
                self._mirroring = True
                self._leave(lane, queue, queue.take_mirrored())
                if not queue.entries[Priority.SHADOW]:
                    del self._mirrored[lane]
                return

    def _leave(
        self, lane: Lane, queue: "_Queue[Item, Answer]", leaving: "list[_Entry[Item, Answer]]"
    ) -> None:
        queue.calls += 1
        self._in_flight.note(lane, queue.calls)
        task = asyncio.create_task(self._send(lane, [entry.item for entry in leaving]))
        call = _Call(task, len(leaving), asyncio.get_running_loop().time())
        for entry in leaving:
            self._waiting[entry.priority] -= 1
            entry.call = call
        task.add_done_callback(partial(self._done, lane, queue, leaving))

    def _done(
        self,
        lane: Lane,
        queue: "_Queue[Item, Answer]",
        entries: "list[_Entry[Item, Answer]]",
        task: "asyncio.Task[Sequence[Answer]]",
    ) -> None:
        queue.calls -= 1
        self._in_flight.note(lane, queue.calls)
        if entries[0].priority is Priority.SHADOW:
            self._mirroring = False
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
            if entry.call is None:
                self._drop(lane, entry)
                continue
            entry.call.waiters -= 1
            if not entry.call.waiters:
                self._give_up(lane, entry.call)

    def _give_up(self, lane: Lane, call: "_Call") -> None:
        until = call.began + self._patience_s(lane, call.size)
        timer = asyncio.get_running_loop().call_at(until, call.task.cancel)
        call.task.add_done_callback(lambda _: timer.cancel())

    def _drop(self, lane: Lane, entry: "_Entry[Item, Answer]") -> None:
        queue = self._lanes[lane]
        del queue.entries[entry.priority][entry]
        self._waiting[entry.priority] -= 1
        if entry.priority is Priority.SHADOW and not queue.entries[Priority.SHADOW]:
            del self._mirrored[lane]
            if not queue.calls and not any(queue.entries):
                del self._lanes[lane]


class _Call:
    """A call under way, since when, and how many of its items somebody still waits for."""

    __slots__ = ("began", "size", "task", "waiters")

    def __init__(self, task: "asyncio.Task[Any]", size: int, began: float) -> None:
        self.task = task
        self.size = self.waiters = size
        self.began = began


class _Entry(Generic[Item, Answer]):
    __slots__ = ("answer", "call", "item", "priority")

    def __init__(self, item: Item, priority: Priority, answer: "asyncio.Future[Answer]") -> None:
        self.item = item
        self.priority = priority
        self.answer = answer
        self.call: _Call | None = None


class _Queue(Generic[Item, Answer]):
    """One lane: dicts as ordered sets, one for each priority, so that a cancelled entry leaves at once."""

    __slots__ = ("_owed", "calls", "entries", "limit")

    def __init__(self) -> None:
        self.entries: list[dict[_Entry[Item, Answer], None]] = [{} for _ in Priority]
        self.calls = 0
        self.limit = 1
        self._owed = 0.0  # rows of their share that batches have not had yet

    def take(self) -> list[_Entry[Item, Answer]]:
        """The next call's entries, single requests first; none when only mirrored ones wait."""
        single, batch = self.entries[Priority.INTERACTIVE], self.entries[Priority.BATCH]
        room = _even(len(single) + len(batch), self.limit)
        if not batch:
            return self._pop(single, room)
        self._owed = self._owed + BATCH_SHARE * room if single else 0.0
        share = min(int(self._owed), len(batch))
        self._owed -= share
        first = self._pop(single, room - share)
        return first + self._pop(batch, room - len(first))

    def take_mirrored(self) -> list[_Entry[Item, Answer]]:
        """The next call's entries when only mirrored ones wait."""
        return self._pop(self.entries[Priority.SHADOW], self.limit)

    @staticmethod
    def _pop(entries: dict[_Entry[Item, Answer], None], count: int) -> list[_Entry[Item, Answer]]:
        leaving = list(islice(entries, count))
        for entry in leaving:
            del entries[entry]
        return leaving


def _even(count: int, limit: int) -> int:
    """The size of each of the fewest calls of at most `limit` that carry `count`."""
    calls = -(-count // limit)
    return -(-count // calls) if calls else 0
