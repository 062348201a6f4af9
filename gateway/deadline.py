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
    try:
        async with asyncio.timeout_at(deadline) as limit:
            return await _resumed(work, waits_for)
    except TimeoutError:
        if not limit.expired():
            raise
        raise _out_of_time(watch) from None


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
