"""Writing behind the answers: what is handed over is written in batches some time soon, or dropped."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

from gateway.redis_client import FAILURES

log = logging.getLogger(__name__)

T = TypeVar("T")

BATCH = 1024
WRITE_S = 1.0

GATHER_S = 0.2
"""What comes within that is written together: a round trip costs as much as several answers."""


class WriteBehind(Generic[T]):
    """A bounded queue and its writer. `dropped` counts what found the queue full or could not be written.

    Args:
        what: for the log.
        write: writes a batch to Redis; its failures are no fault of the caller's.
        bound: items kept in hand.
    """

    def __init__(self, what: str, write: Callable[[Sequence[T]], Awaitable[None]], *, bound: int) -> None:
        self._what = what
        self._write = write
        self._bound = bound
        self._pending: deque[T] = deque()
        self._handed_over = asyncio.Event()
        self._complained = False
        self.dropped = 0

    @property
    def pending(self) -> Sequence[T]:
        """What is not written yet, oldest first."""
        return self._pending

    def put(self, item: T) -> None:
        """Hand over one item; never waits."""
        if len(self._pending) >= self._bound:
            self.dropped += 1
            return
        self._pending.append(item)
        self._handed_over.set()

    async def run(self) -> None:
        """Write what is handed over, for ever, and what is left at the end."""
        try:
            while True:
                await self._handed_over.wait()
                await asyncio.sleep(GATHER_S)
                self._handed_over.clear()
                while self._pending:
                    await self._write_next(BATCH)
        finally:
            if self._pending:
                await self._write_next(len(self._pending))

    async def _write_next(self, count: int) -> None:
        batch = list(islice(self._pending, count))
        writing = asyncio.create_task(self._write_one(batch))
        try:
            await asyncio.shield(writing)
        finally:
            await asyncio.wait([writing])  # to write again what may have been written could double it
            for _ in batch:
                self._pending.popleft()

    async def _write_one(self, batch: Sequence[T]) -> None:
        try:
            async with asyncio.timeout(WRITE_S):
                await self._write(batch)
        except FAILURES as error:
            self.dropped += len(batch)
            if not self._complained:
                log.warning("%s cannot be written to Redis: %s", self._what, error or type(error).__name__)
            self._complained = True
        else:
            self._complained = False
