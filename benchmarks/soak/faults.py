"""One fault after the other, and what each of them excuses."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import redis

from benchmarks.soak.stack import Stack

BACK_S = 120.0
STANDING_S = 5.0
AFTERWARDS_S = 10.0
"""Errors so long after the gateway is ready again are still the fault's: breakers look again by and by."""


@dataclass(frozen=True, slots=True)
class Fault:
    """When it was, seconds, and which statuses it excuses."""

    name: str
    began: float
    ended: float
    excuses: frozenset[int]

    def excuse(self, at: float, took: float, status: int) -> bool:
        """Whether an answer of this status to a request of that time is its doing."""
        overlaps = at <= self.ended + AFTERWARDS_S and at + took >= self.began
        return overlaps and status in self.excuses


async def _kill(stack: Stack, part: str) -> None:
    before = stack.leader(part)
    stack.signal(part, signal.SIGKILL)
    await _until(lambda: stack.leader(part) not in (None, before))


async def _stand_still(stack: Stack, part: str) -> None:
    stack.signal(part, signal.SIGSTOP)
    await asyncio.sleep(STANDING_S)
    stack.signal(part, signal.SIGCONT)


async def _empty(stack: Stack, _: str) -> None:
    with redis.Redis.from_url(stack.redis) as client:
        await asyncio.to_thread(client.flushall)


AWAY = frozenset({502, 503, 504})
KINDS: tuple[tuple[str, Callable[[Stack, str], Awaitable[None]], str, frozenset[int]], ...] = (
    ("Redis killed", _kill, "redis", frozenset()),
    ("Triton killed", _kill, "triton", AWAY),
    ("Redis emptied", _empty, "redis", frozenset()),
    ("sync killed", _kill, "sync", frozenset()),
    ("Redis stands still", _stand_still, "redis", frozenset()),
    ("Triton stands still", _stand_still, "triton", AWAY),
    ("MLflow killed", _kill, "mlflow", frozenset()),
    ("gateway killed", _kill, "gateway", AWAY | {0}),
)


async def strike(stack: Stack, number: int) -> Fault:
    """Make the fault of that number happen, and wait until the gateway is ready again."""
    name, act, part, excuses = KINDS[number % len(KINDS)]
    began = time.monotonic()
    await act(stack, part)
    await _ready(stack)
    return Fault(name, began, time.monotonic(), excuses)


async def _ready(stack: Stack) -> None:
    async with aiohttp.ClientSession(stack.gateway) as session, asyncio.timeout(BACK_S):
        while True:
            try:
                async with session.get("/ready") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(BACK_S):
        while not holds():  # noqa: ASYNC110 another process announces nothing
            await asyncio.sleep(0.2)
