"""A deadline is a cancellation: who runs out of time leaves, and what nobody waits for is dropped."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from gateway.errors import DeadlineExceeded
from gateway.stopwatch import Stopwatch

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
        async with asyncio.timeout_at(deadline) as limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        raise _out_of_time(watch) from None


def _out_of_time(watch: Stopwatch) -> DeadlineExceeded:
    stage = watch.stage
    spent = ", ".join(f"{name} {ms:.1f} ms" for name, ms in watch.stages_ms().items())
    return DeadlineExceeded(f"out of time in {stage}; spent: {spent}")
