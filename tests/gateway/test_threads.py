"""Work for threads, and how long more would wait."""

import asyncio
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from gateway.admission import ByteBudget
from gateway.threads import Threads
from tests.gateway.waiting import settle, until


@pytest.fixture
def threads() -> Iterator[Threads]:
    with ThreadPoolExecutor(1) as executor:
        yield Threads(executor, 1)


async def test_it_gives_the_result_or_the_error(threads: Threads) -> None:
    assert await threads.run("a", 1, lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        await threads.run("a", 1, lambda: 1 // 0)
    assert threads.wait_s == 0


async def test_the_wait_is_what_waits_at_the_pace_of_its_kind(threads: Threads) -> None:
    for kind, seconds, size in (("slow", 3.0, 100), ("slow", 3.0, 100), ("fast", 0.001, 1000)):
        threads._observe(kind, size, seconds)
    gate = threading.Event()
    work = [asyncio.create_task(threads.run("slow", 50, gate.wait)) for _ in range(2)]
    work.append(asyncio.create_task(threads.run("fast", 1000, gate.wait)))
    await settle()
    assert threads.wait_s == pytest.approx(3.001)
    work[1].cancel()
    await settle()
    assert threads.wait_s == pytest.approx(1.501)
    gate.set()
    await asyncio.gather(*work, return_exceptions=True)
    assert threads.wait_s == pytest.approx(0, abs=1e-9)


async def test_cancelled_before_its_turn_it_never_begins(threads: Threads) -> None:
    gate, ran = threading.Event(), list[str]()
    before = asyncio.create_task(threads.run("a", 1, gate.wait))
    cancelled = asyncio.create_task(threads.run("a", 1, lambda: ran.append("cancelled")))
    await settle()
    cancelled.cancel()
    await settle()
    gate.set()
    await before
    await threads.run("a", 1, lambda: ran.append("next"))
    assert ran == ["next"]


async def test_cancelled_before_its_turn_it_is_forgotten_at_once(threads: Threads) -> None:
    """With the body that it was to parse: else those who leave hold as much as they like."""
    gate = threading.Event()
    before = asyncio.create_task(threads.run("a", 1, partial(gate.wait, 60)))
    body = ByteBudget(0)  # anything that can be referred to weakly
    kept = weakref.ref(body)
    with ByteBudget(100).share() as share:
        share.grow(100)
        cancelled = asyncio.create_task(threads.run("a", 1, partial(id, body), share))
        del body
        await settle()
        assert kept() is not None
        cancelled.cancel()
        await asyncio.wait([cancelled])
        del cancelled
        assert (kept(), share.held) == (None, 100)
    gate.set()
    await before


@pytest.mark.parametrize("fails", [True, False])
async def test_cancelled_while_it_is_done_it_counts_until_its_end(threads: Threads, *, fails: bool) -> None:
    """It has the thread, and its body, whoever still waits for it."""
    threads._observe("a", 100, 3.0)
    budget, begun, gate = ByteBudget(100), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        gate.wait(60)
        if fails:
            raise ZeroDivisionError

    with budget.share() as share:
        share.grow(100)
        task = asyncio.create_task(threads.run("a", 100, work, share))
        await until(begun.is_set)
        task.cancel()
        await asyncio.wait([task])
    await settle()
    assert task.cancelled()
    assert (threads.wait_s, budget.held) == (3.0, 100)
    gate.set()
    await until(lambda: budget.held == 0)
    assert threads.wait_s == 0


async def test_small_work_with_a_fixed_cost_does_not_make_large_work_look_slow(threads: Threads) -> None:
    for _ in range(50):
        threads._observe("a", 1_000_000, 0.005)
        threads._observe("a", 10, 0.0001)
    assert threads._takes_s("a", 1_000_000) == pytest.approx(0.005, rel=0.1)
