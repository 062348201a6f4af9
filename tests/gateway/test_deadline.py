"""Deadlines: what is cancelled, what is not begun, what is told."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.deadline import within
from gateway.errors import DeadlineExceeded
from gateway.telemetry.stopwatch import Stopwatch
from tests.gateway.waiting import settle


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_what_ends_in_time_gives_its_result() -> None:
    async def work() -> str:
        return "done"

    assert await within(now() + 60, Stopwatch(), work()) == "done"


async def test_the_work_is_cancelled_at_the_deadline_and_the_stages_are_told() -> None:
    cancelled = asyncio.Event()

    async def work() -> None:
        watch.enter("triton")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    watch = Stopwatch()
    with pytest.raises(
        DeadlineExceeded, match=r"out of time in triton; spent: read [\d.]+ ms, triton [\d.]+ ms"
    ):
        await within(now() + 0.01, watch, work())
    assert cancelled.is_set()


async def test_nothing_is_begun_after_the_deadline() -> None:
    begun = False

    async def work() -> None:
        nonlocal begun
        begun = True

    with pytest.raises(DeadlineExceeded, match="out of time in read"):
        await within(now(), Stopwatch(), work())
    await settle()
    assert not begun


async def test_a_timeout_of_the_works_own_is_not_the_deadlines() -> None:
    async def work() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await within(now() + 60, Stopwatch(), work())


async def test_expired_work_for_a_thread_is_never_started() -> None:
    """It waits behind other work; when its turn comes, nobody wants it any more."""
    gate, ran = threading.Event(), list[str]()
    with ThreadPoolExecutor(1) as threads:
        loop = asyncio.get_running_loop()
        before = loop.run_in_executor(threads, gate.wait)

        async def work() -> None:
            await loop.run_in_executor(threads, ran.append, "ours")

        with pytest.raises(DeadlineExceeded):
            await within(now() + 0.01, Stopwatch(), work())
        gate.set()
        await before
        await loop.run_in_executor(threads, ran.append, "next")
    assert ran == ["next"]
