"""The histories of all gateways on one Redis, put together: each writes its steps, whoever asks reads all."""

import asyncio
import os
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.redis_client import FAILURES
from gateway.telemetry.history import STEP_S, STEPS, History, Step

if TYPE_CHECKING:
    from redis.asyncio import Redis

STREAM = "fixgate:history"
FIELD = b"steps"
LENGTH = 20_000
CALL_S = 2.0
SAMPLE_S = 1.0


class Written(msgspec.Struct, array_like=True):
    """One step of one gateway."""

    gateway: str
    step: Step


class HistoryShare:
    """Writes this process's steps as they end, when something happened in them; reads those of all."""

    def __init__(self, redis: "Redis", history: History, waiting: Callable[[], int]) -> None:
        self._redis = redis
        self._history = history
        self._waiting = waiting
        self._written = 0
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"

    async def run(self) -> None:
        """Sample the queue and write what has ended, for ever."""
        while True:
            now = time.time()
            self._history.queued(now, self._waiting())
            await self._write_ended(now)
            await asyncio.sleep(SAMPLE_S)

    async def _write_ended(self, now: float) -> None:
        self._written = min(self._written, int(now))  # the clock may have been set back
        ended = [one for one in self._history.steps(now) if self._written < one.at <= now - STEP_S]
        if not ended:
            return
        self._written = ended[-1].at
        try:
            async with asyncio.timeout(CALL_S), self._redis.pipeline(transaction=False) as pipeline:
                for step in ended:
                    entry = {FIELD: msgspec.json.encode(Written(self._name, step))}
                    pipeline.xadd(STREAM, entry, maxlen=LENGTH, approximate=True)  # type: ignore[arg-type]
                pipeline.expire(STREAM, STEPS * STEP_S * 2)
                await pipeline.execute()
        except FAILURES:
            return  # this process's own steps are still here; the others miss them

    async def read(self, now: float) -> tuple[list[Step], int, bool]:
        """Every gateway's steps, of how many gateways (this one counts), and whether Redis answered."""
        own = self._history.steps(now)
        least = int((now - STEPS * STEP_S) * 1e3)
        try:
            async with asyncio.timeout(CALL_S):
                entries: Any = await self._redis.xrange(STREAM, min=str(least))
        except FAILURES:
            return own, 1, False
        written = [one for _, fields in entries if (one := _parsed(fields.get(FIELD, b"")))]
        others = [one for one in written if one.gateway != self._name and one.step.at > now - STEPS * STEP_S]
        steps = own + [one.step for one in others]
        return steps, 1 + len({one.gateway for one in others}), True


def _parsed(document: bytes) -> Written | None:
    """What lies in a shared Redis is not trusted."""
    try:
        return msgspec.json.decode(document, type=Written)
    except msgspec.DecodeError:
        return None
