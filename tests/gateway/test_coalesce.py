"""Sharing calls: who leaves when, with whom, and who hears of what."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.coalesce import Coalescer
from gateway.in_flight import InFlight
from gateway.priority import Priority
from tests.gateway.waiting import settle


class Upstream:
    """Records calls and holds each until it is told how it ends."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.cancelled: list[list[int]] = []
        self._gates: list[asyncio.Future[None]] = []

    async def __call__(self, lane: str, items: Sequence[int]) -> list[int]:
        self.calls.append((lane, list(items)))
        gate = asyncio.get_running_loop().create_future()
        self._gates.append(gate)
        try:
            await gate
        except asyncio.CancelledError:
            self.cancelled.append(list(items))
            raise
        return [item * 10 for item in items]

    async def end(self, call: int, error: Exception | None = None) -> None:
        """Let a call end."""
        if error:
            self._gates[call].set_exception(error)
        else:
            self._gates[call].set_result(None)
        await settle()


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def coalescer(upstream: Upstream) -> Coalescer[str, int, int]:
    return Coalescer(upstream, InFlight(1))


def ask(coalescer: Coalescer[str, int, int], item: int, lane: str = "a") -> "asyncio.Task[int]":
    """One request, under way."""
    return asyncio.create_task(coalescer.one(lane, item, limit=4))


async def test_an_idle_lane_sends_at_once(upstream: Upstream, coalescer: Coalescer[str, int, int]) -> None:
    asked = ask(coalescer, 1)
    await settle()
    assert upstream.calls == [("a", [1])]
    await upstream.end(0)
    assert await asked == 10


async def test_what_arrives_during_a_call_leaves_together(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    asked = [ask(coalescer, item) for item in (1, 2, 3)]
    await settle()
    assert upstream.calls == [("a", [1])]
    assert coalescer.waiting() == 2
    await upstream.end(0)
    assert upstream.calls[1:] == [("a", [2, 3])]
    await upstream.end(1)
    assert await asyncio.gather(*asked) == [10, 20, 30]


async def test_a_call_carries_no_more_than_the_limit(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    asked = [ask(coalescer, item) for item in range(7)]
    await settle()
    for call in range(3):
        await upstream.end(call)
    assert [items for _, items in upstream.calls] == [[0], [1, 2, 3], [4, 5, 6]]
    assert await asyncio.gather(*asked) == [0, 10, 20, 30, 40, 50, 60]


async def test_a_group_leaves_in_one_call(upstream: Upstream, coalescer: Coalescer[str, int, int]) -> None:
    asked = asyncio.create_task(coalescer.many("a", [1, 2, 3], limit=4))
    await settle()
    assert upstream.calls == [("a", [1, 2, 3])]
    await upstream.end(0)
    assert await asked == [10, 20, 30]


async def test_a_limit_below_one_still_sends(upstream: Upstream, coalescer: Coalescer[str, int, int]) -> None:
    """Triton's max_batch_size is 0 for a model that does not batch."""
    asked = asyncio.create_task(coalescer.many("a", [1, 2], limit=0))
    await settle()
    await upstream.end(0)
    await upstream.end(1)
    assert await asked == [10, 20]


async def test_lanes_do_not_wait_for_each_other(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    asked = [ask(coalescer, 1, "a"), ask(coalescer, 2, "b")]
    await settle()
    assert upstream.calls == [("a", [1]), ("b", [2])]
    await upstream.end(1)
    assert await asked[1] == 20
    await upstream.end(0)
    assert await asked[0] == 10


async def test_what_is_too_much_for_one_call_is_shared_evenly(upstream: Upstream) -> None:
    coalescer: Coalescer[str, int, int] = Coalescer(upstream, InFlight(2))
    asked = asyncio.create_task(coalescer.many("a", list(range(100)), limit=32))
    await settle()
    assert [len(items) for _, items in upstream.calls] == [25, 25]
    for call in range(4):
        await upstream.end(call)
    assert await asked == [10 * item for item in range(100)]
    assert [len(items) for _, items in upstream.calls] == [25] * 4


async def test_no_more_calls_are_under_way_than_allowed(upstream: Upstream) -> None:
    coalescer: Coalescer[str, int, int] = Coalescer(upstream, InFlight(2))
    asked = [ask(coalescer, item) for item in range(4)]
    await settle()
    assert [items for _, items in upstream.calls] == [[0], [1]]
    await upstream.end(1)
    assert [items for _, items in upstream.calls[2:]] == [[2, 3]]
    await upstream.end(0)
    await upstream.end(2)
    assert await asyncio.gather(*asked) == [0, 10, 20, 30]


async def test_a_failed_call_fails_its_own_items_only(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    asked = [ask(coalescer, item) for item in (1, 2)]
    await settle()
    await upstream.end(0, ValueError("first"))
    with pytest.raises(ValueError, match="first"):
        await asked[0]
    await upstream.end(1)
    assert await asked[1] == 20


async def test_an_error_is_its_own_items_whoever_else_waits_in_the_lane(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    """Two of one call hear of it, one of the next does not, nor does another lane."""
    first, second, third = (ask(coalescer, item) for item in (1, 2, 3))
    other = ask(coalescer, 4, "b")
    await settle()
    await upstream.end(0)
    late = ask(coalescer, 5)
    await settle()
    error = ValueError("second")
    await upstream.end(2, error)
    for asked in (second, third):
        with pytest.raises(ValueError, match="second") as caught:
            await asked
        assert caught.value is error
    await upstream.end(3)
    await upstream.end(1)
    assert [await asked for asked in (first, other, late)] == [10, 40, 50]


async def test_the_only_waiter_of_a_lane_that_is_cancelled_before_its_call_leaves_nothing(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    first, second = ask(coalescer, 1), ask(coalescer, 2)
    await settle()
    second.cancel()
    await settle()
    assert (coalescer.waiting(), second.cancelled()) == (0, True)
    await upstream.end(0)
    assert await first == 10
    assert upstream.calls == [("a", [1])]
    assert coalescer._lanes == {}


async def test_a_failed_call_stands_in_its_items_places(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    asked = asyncio.create_task(coalescer.many("a", [1, 2, 3], limit=2))
    await settle()
    error = ValueError("no")
    await upstream.end(0, error)
    await upstream.end(1)
    assert await asked == [error, error, 30]


async def test_a_cancelled_waiter_leaves_the_queue(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    first, second, third = (ask(coalescer, item) for item in (1, 2, 3))
    await settle()
    second.cancel()
    await settle()
    assert coalescer.waiting() == 1
    await upstream.end(0)
    assert upstream.calls[1:] == [("a", [3])]
    await upstream.end(1)
    assert (await first, await third) == (10, 30)


async def test_a_call_goes_on_while_somebody_waits_for_it(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    first = ask(coalescer, 1)
    group = asyncio.create_task(coalescer.many("a", [2, 3], limit=4))
    last = ask(coalescer, 4)
    await settle()
    await upstream.end(0)
    assert upstream.calls[1:] == [("a", [2, 3, 4])]
    group.cancel()
    await settle()
    assert upstream.cancelled == []
    await upstream.end(1)
    assert (await first, await last) == (10, 40)


async def test_a_call_that_nobody_waits_for_and_that_takes_too_long_is_cancelled(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    first, second = ask(coalescer, 1), ask(coalescer, 2)
    await settle()
    first.cancel()
    await settle()
    assert upstream.cancelled == [[1]]
    assert upstream.calls[1:] == [("a", [2])]
    await upstream.end(1)
    assert await second == 20


@pytest.mark.parametrize("error", [None, ValueError("no")])
async def test_until_then_it_keeps_its_place(upstream: Upstream, error: Exception | None) -> None:
    asked_of: list[tuple[str, int]] = []

    def patience_s(lane: str, items: int) -> float:
        asked_of.append((lane, items))
        return 60.0

    coalescer: Coalescer[str, int, int] = Coalescer(upstream, InFlight(1), patience_s)
    group = asyncio.create_task(coalescer.many("a", [1, 2, 3], limit=4))
    await settle()
    second = ask(coalescer, 4)
    await settle()
    group.cancel()
    await settle()
    assert (group.cancelled(), asked_of) == (True, [("a", 3)])
    assert (upstream.calls, upstream.cancelled, coalescer.waiting()) == ([("a", [1, 2, 3])], [], 1)
    await upstream.end(0, error)
    assert upstream.calls[1:] == [("a", [4])]
    await upstream.end(1)
    assert await second == 40
    assert coalescer._lanes == {}
    loop = asyncio.get_running_loop()
    assert [one for one in loop._scheduled if not one.cancelled()] == []  # type: ignore[attr-defined]


async def test_a_waiter_cancelled_as_its_call_fails_leaves_no_complaint(
    upstream: Upstream, coalescer: Coalescer[str, int, int], caplog: pytest.LogCaptureFixture
) -> None:
    asked = ask(coalescer, 1)
    await settle()
    upstream._gates[0].set_exception(ValueError("too late"))
    asked.cancel()
    await settle()
    assert asked.cancelled()
    del asked
    assert "never retrieved" not in caplog.text


async def test_a_call_that_ends_in_cancellation_keeps_nobody_waiting() -> None:
    """As when the transport is closed under it."""

    async def closed(_: str, __: Sequence[int]) -> list[int]:
        raise asyncio.CancelledError

    coalescer: Coalescer[str, int, int] = Coalescer(closed, InFlight(1))
    asked = ask(coalescer, 1)
    await settle()
    assert asked.cancelled()


async def test_an_idle_coalescer_keeps_nothing(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    for call in range(3):
        asked = ask(coalescer, call, f"lane {call}")
        await settle()
        await upstream.end(call)
        await asked
    assert coalescer._lanes == {}


def later(
    coalescer: Coalescer[str, int, int], items: Sequence[int], priority: Priority, lane: str = "a"
) -> "asyncio.Task[list[int | BaseException]]":
    """Items of that priority, under way."""
    return asyncio.create_task(coalescer.many(lane, items, limit=8, priority=priority))


async def test_single_requests_overtake_batches(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    first = later(coalescer, [0], Priority.BATCH)
    batch = later(coalescer, range(10, 22), Priority.BATCH)
    await settle()
    single = later(coalescer, [1, 2, 3], Priority.INTERACTIVE)
    await settle()
    await upstream.end(0)
    assert upstream.calls[1:] == [("a", [1, 2, 3, 10, 11, 12, 13, 14])]
    await upstream.end(1)
    await upstream.end(2)
    assert await first == [0]
    assert await single == [10, 20, 30]
    assert await batch == [item * 10 for item in range(10, 22)]


async def test_batches_have_an_eighth_of_every_call_that_single_requests_could_fill(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    asked = [later(coalescer, [0], Priority.INTERACTIVE)]
    asked.append(later(coalescer, range(100, 110), Priority.BATCH))
    asked.append(later(coalescer, range(1, 30), Priority.INTERACTIVE))
    await settle()
    for call in range(4):
        await upstream.end(call)
    assert [sum(item >= 100 for item in items) for _, items in upstream.calls[1:5]] == [1, 1, 1, 1]
    assert [len(items) for _, items in upstream.calls[1:5]] == [8, 8, 8, 8]
    await upstream.end(4)
    await upstream.end(5)
    await asyncio.gather(*asked)


async def test_a_call_of_one_row_is_a_batchs_every_eighth_time(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    asked = [asyncio.create_task(coalescer.many("a", list(range(20)), limit=1))]
    asked.append(asyncio.create_task(coalescer.many("a", [100, 101], limit=1, priority=Priority.BATCH)))
    await settle()
    for call in range(22):
        await upstream.end(call)
    assert [place for place, (_, items) in enumerate(upstream.calls) if items[0] >= 100] == [8, 16]
    await asyncio.gather(*asked)


async def test_mirrored_items_leave_when_nothing_else_waits_in_any_lane(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    """One call at a time: it must not take up what others are about to need."""
    first, second = (later(coalescer, [item], Priority.INTERACTIVE) for item in (1, 2))
    await settle()
    mirrored = later(coalescer, [7], Priority.SHADOW, "b")
    also = later(coalescer, [8], Priority.SHADOW, "c")
    await settle()
    assert upstream.calls == [("a", [1])]
    assert coalescer.waiting() == 3
    await upstream.end(0)
    assert upstream.calls[1:] == [("a", [2]), ("b", [7])]
    await upstream.end(2)
    assert upstream.calls[3:] == [("c", [8])]
    await upstream.end(1)
    await upstream.end(3)
    assert list(await asyncio.gather(first, second, mirrored, also)) == [[10], [20], [70], [80]]
    assert coalescer._lanes == {}


async def test_cancelled_mirrored_items_leave_nothing_behind(
    upstream: Upstream, coalescer: Coalescer[str, int, int]
) -> None:
    first, second = (later(coalescer, [item], Priority.INTERACTIVE) for item in (1, 2))
    mirrored = later(coalescer, [7], Priority.SHADOW, "b")
    await settle()
    mirrored.cancel()
    await settle()
    assert coalescer.waiting() == 1
    await upstream.end(0)
    await upstream.end(1)
    await asyncio.gather(first, second)
    assert coalescer._lanes == {}
    assert [lane for lane, _ in upstream.calls] == ["a", "a"]


PRIORITIES = st.sampled_from(Priority)


@given(
    asked=st.lists(
        st.tuples(PRIORITIES, st.sampled_from("ab"), st.integers(1, 9), st.booleans()), max_size=25
    ),
    limit=st.integers(1, 8),
    in_flight=st.integers(1, 3),
)
def test_every_item_is_answered_once_or_withdrawn_and_nothing_is_kept(
    asked: list[tuple[Priority, str, int, bool]], limit: int, in_flight: int
) -> None:
    async def run() -> None:
        seen: list[int] = []

        async def send(_: str, items: Sequence[int]) -> list[int]:
            assert 1 <= len(items) <= limit
            seen.extend(items)
            await asyncio.sleep(0)
            return [item * 10 for item in items]

        coalescer: Coalescer[str, int, int] = Coalescer(send, InFlight(in_flight))
        numbers, tasks = iter(range(10_000)), {}
        for priority, lane, count, leaves in asked:
            items = [next(numbers) for _ in range(count)]
            work = coalescer.many(lane, items, limit=limit, priority=priority)
            tasks[asyncio.create_task(work)] = (items, leaves)
        await asyncio.sleep(0)
        for task, (_, leaves) in tasks.items():
            if leaves:
                task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for (items, leaves), answer in zip(tasks.values(), answers, strict=True):
            assert isinstance(answer, asyncio.CancelledError) if leaves else answer == [10 * i for i in items]
        await settle()
        assert len(seen) == len(set(seen))
        assert coalescer.waiting() == 0
        assert coalescer._lanes == {}
        assert coalescer._mirrored == {}

    asyncio.run(run())
