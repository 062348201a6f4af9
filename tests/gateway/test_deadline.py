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


def timers() -> list[asyncio.TimerHandle]:
    """Those of deadlines that are running."""
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [one for one in scheduled if not one.cancelled() and "_Late.cancel" in repr(one)]


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


async def test_an_outer_cancellation_is_not_swallowed() -> None:
    cleaned = False

    async def work() -> None:
        nonlocal cleaned
        try:
            await asyncio.Event().wait()
        finally:
            cleaned = True

    task = asyncio.create_task(within(now() + 60, Stopwatch(), work()))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned
    assert task.cancelled()


@pytest.mark.parametrize("ours_first", [True, False])
async def test_a_cancellation_that_comes_together_with_the_deadline_is_still_one(*, ours_first: bool) -> None:
    """Both before the task gets to run."""
    task = asyncio.create_task(within(now() + 60, Stopwatch(), asyncio.Event().wait()))
    await settle()
    (timer,) = timers()
    for cancel in (task.cancel, timer._run) if ours_first else (timer._run, task.cancel):
        cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_no_timer_is_left_behind() -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    await within(now() + 60, Stopwatch(), work())
    task = asyncio.create_task(within(now() + 60, Stopwatch(), asyncio.Event().wait()))
    await settle()
    assert len(timers()) == 1
    task.cancel()
    await asyncio.wait([task])
    assert timers() == []


@pytest.mark.parametrize("ends", ["result", "error", "late"])
async def test_after_the_deadline_the_task_is_no_longer_being_cancelled(ends: str) -> None:
    """Whatever the work makes of it: who waits for something afterwards must not be taken for cancelled."""

    async def work() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if ends == "error":
                raise ValueError("its own") from None
            if ends == "late":
                raise
        return "its own"

    async def asked() -> tuple[object, int]:
        task = asyncio.current_task()
        assert task is not None
        try:
            outcome: object = await within(now() + 0.01, Stopwatch(), work())
        except (ValueError, DeadlineExceeded) as error:
            outcome = type(error)
        await asyncio.sleep(0)
        return outcome, task.cancelling()

    outcome, cancelling = await asyncio.create_task(asked())
    assert outcome == {"result": "its own", "error": ValueError, "late": DeadlineExceeded}[ends]
    assert cancelling == 0


async def test_of_deadlines_within_deadlines_the_one_that_is_over_is_told() -> None:
    def watch(stage: str) -> Stopwatch:
        made = Stopwatch()
        made.enter(stage)
        return made

    for outer, inner, over in ((60, 0.01, "inner"), (0.01, 60, "outer")):
        work = within(now() + inner, watch("inner"), asyncio.Event().wait())
        with pytest.raises(DeadlineExceeded, match=f"out of time in {over}"):
            await within(now() + outer, watch("outer"), work)
