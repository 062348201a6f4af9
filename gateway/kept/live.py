"""Fixes as they are made, for whoever watches: a bounded stream in Redis that every gateway writes and reads.

Nothing happens on the request's path but handing over, and of a flood only so many a second are handed over.
Without Redis a watcher sees what this process has made.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.errors import Unavailable
from gateway.kept.live_fix import LiveFix, live_fix
from gateway.kept.write_behind import WriteBehind
from gateway.prediction import Prediction
from gateway.redis_client import FAILURES

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

STREAM = "fixgate:live"
FIELD = b"fixes"
LENGTH = 2000
"""Fixes kept, about: in this process, and as many packs in the stream as hold that many when it is busy."""

PACKS = 400

PER_S, BURST = 50.0, 200.0
"""Fixes a second that this process hands over, and how many at once after a pause."""

WATCHERS = 100
BLOCK_S = 2.0
CALL_S = 2.0
READ = 500

Position = tuple[int, int]
"""A place in the stream: Unix milliseconds, and a number within one."""


@dataclass(frozen=True, slots=True)
class News:
    """Fixes, oldest first, with the position after them. `shared`: of every gateway, not of one alone."""

    fixes: list[LiveFix]
    position: Position | None
    shared: bool


class Live:
    """Hands fixes over, and follows them."""

    def __init__(self, redis: "Redis", *, seconds: int) -> None:
        self._redis = redis
        self._seconds = seconds
        self._made: deque[tuple[Position, LiveFix]] = deque(maxlen=LENGTH)
        self._news = asyncio.Event()
        self._closed = False
        self._allowed, self._refilled = BURST, time.monotonic()
        self._passed_over = 0
        self.watchers = 0
        self.writer = WriteBehind[LiveFix]("live fixes", self._write, bound=LENGTH)

    def put(self, predictions: Sequence[Prediction], stages_ms: Mapping[str, float]) -> None:
        """Hand over the predictions of one request, or as many as may be; never waits."""
        now = time.monotonic()
        self._allowed = min(BURST, self._allowed + PER_S * (now - self._refilled))
        self._refilled = now
        for prediction in predictions:
            if self._allowed < 1:
                self._passed_over += 1
                continue
            self._allowed -= 1
            one = live_fix(prediction, stages_ms, self._passed_over)
            self._passed_over = 0
            self._made.append((self._next_position(), one))
            self.writer.put(one)
            self._news.set()

    def close(self) -> None:
        """End every watcher's feed: this gateway is about to stop."""
        self._closed = True
        self._news.set()

    async def follow(self, after: Position | None, limit: int) -> AsyncGenerator[News]:
        """What is made from now on, after the newest `limit` of what there is, or what came `after`.

        Yields at least every few seconds, with no fixes when there are none. Ends when closed.

        Raises:
            Unavailable: too many watch already.
        """
        if self.watchers >= WATCHERS:
            raise Unavailable(f"{WATCHERS} watchers follow the fixes of this gateway already")
        self.watchers += 1
        try:
            news = await self._backlog(after, limit)
            yield news
            while not self._closed:
                news = await self._later(news)
                yield news
        finally:
            self.watchers -= 1

    async def _backlog(self, after: Position | None, limit: int) -> News:
        least = f"({_dumped(after)}" if after else _dumped((max(0, _now_ms() - self._seconds * 1000), 0))
        try:
            async with asyncio.timeout(CALL_S):
                entries: Any = await self._redis.xrevrange(STREAM, min=least, count=limit)
        except FAILURES:
            return self._own(after, limit)
        found = _news(list(reversed(entries)), after or (_now_ms(), 0))
        return replace(found, fixes=found.fixes[-limit:])

    async def _later(self, last: News) -> News:
        after = last.position or (0, 0)
        try:
            async with asyncio.timeout(BLOCK_S + CALL_S):
                found: Any = await self._redis.xread(
                    {STREAM: _dumped(after)}, count=READ, block=int(BLOCK_S * 1e3)
                )
        except FAILURES:
            await self._own_news()
            return self._own(after, READ)
        return _news(found[0][1] if found else [], after)

    async def _own_news(self) -> None:
        """Wait until this process has made another fix, for a moment at most: then Redis is tried again."""
        self._news.clear()
        try:
            async with asyncio.timeout(BLOCK_S / 4):
                await self._news.wait()
        except TimeoutError:
            return

    def _own(self, after: Position | None, limit: int) -> News:
        least = after or ((_now_ms() - self._seconds * 1000), 0)
        found = [(position, one) for position, one in self._made if position > least][-limit:]
        return News([one for _, one in found], found[-1][0] if found else after, shared=False)

    def _next_position(self) -> Position:
        now_ms = _now_ms()
        last_ms, last = self._made[-1][0] if self._made else (0, 0)
        return (now_ms, 0) if now_ms > last_ms else (last_ms, last + 1)

    async def _write(self, batch: Sequence[LiveFix]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.xadd(STREAM, {FIELD: msgspec.json.encode(batch)}, maxlen=PACKS, approximate=True)
            pipeline.expire(STREAM, self._seconds)
            await pipeline.execute()


def parse_position(text: str) -> Position | None:
    """A position as watchers were told it; None when it is not one."""
    left, dash, right = text.partition("-")
    whole = all(part.isascii() and part.isdecimal() and len(part) <= 18 for part in (left, right))
    return (int(left), int(right)) if dash and whole else None


def _dumped(position: Position) -> str:
    return f"{position[0]}-{position[1]}"


def _news(entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]], after: Position) -> News:
    """What lies in a shared Redis is not trusted."""
    fixes: list[LiveFix] = []
    for name, fields in entries:
        after = parse_position(name.decode()) or after
        try:
            fixes += msgspec.json.decode(fields.get(FIELD, b""), type=list[LiveFix])
        except msgspec.DecodeError as error:
            log.warning("passed over an entry of %s: %s", STREAM, error)
    return News(fixes, after, shared=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
