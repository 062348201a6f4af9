"""A deadline is a cancellation: who runs out of time leaves, and what nobody waits for is dropped."""

import asyncio
from collections.abc import Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any, TypeVar

from gateway.errors import DeadlineExceeded
from gateway.telemetry.stopwatch import Stopwatch

T = TypeVar("T")


async def within(deadline: float, watch: Stopwatch, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled at `deadline` (the event loop's clock) and not begun after it.

    Raises:
        DeadlineExceeded: says where the time went.
    """
    if asyncio.get_running_loop().time() >= deadline:
        work.close()
        raise _out_of_time(watch)
    try:
        waits_for = work.send(None)
    except StopIteration as done:  # what need not wait needs no timer either
        result: T = done.value
        return result
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 a coroutine that waits is in one
    late = _Late(task)
    timer = asyncio.get_running_loop().call_at(deadline, late.cancel)
    try:
        result = await _resumed(work, waits_for)
    except BaseException as error:
        if late.was_all() and isinstance(error, asyncio.CancelledError):
            raise _out_of_time(watch) from None
        raise
    else:
        late.was_all()
        return result
    finally:
        timer.cancel()


class _Late:
    """Cancels a task when the time is over. What `asyncio.timeout` does, in a fifth of its time."""

    __slots__ = ("_before", "_came", "_task")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._before = task.cancelling()
        self._came = False

    def cancel(self) -> None:
        """The time is over."""
        self._came = True
        self._task.cancel()

    def was_all(self) -> bool:
        """Take the cancellation back; whether it came, and nobody else cancelled the task."""
        return self._came and self._task.uncancel() <= self._before


@coroutine
def _resumed(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """`await work`, which has been begun and waits for something."""
    while True:
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 whatever is thrown is thrown into `work`
            resume = partial(work.throw, error)
        else:
            resume = partial(work.send, None)
        try:
            waits_for = resume()
        except StopIteration as done:
            result: T = done.value
            return result


def _out_of_time(watch: Stopwatch) -> DeadlineExceeded:
    stage = watch.stage
    spent = ", ".join(f"{name} {ms:.1f} ms" for name, ms in watch.stages_ms().items())
    return DeadlineExceeded(f"out of time in {stage}; spent: {spent}")
