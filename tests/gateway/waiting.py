"""Waiting for conditions that no event announces: another process's, or a background task's."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(
    condition: Callable[[], Awaitable[bool]] | Callable[[], bool], *, within_s: float = 60
) -> None:
    """Return as soon as the condition holds.

    Raises:
        TimeoutError: it did not in time.
    """
    async with asyncio.timeout(within_s):
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)


async def settle() -> None:
    """Let everything run that can without waiting for anything."""
    for _ in range(10):
        await asyncio.sleep(0)
