"""The second level of the cache: Redis, with a time budget and a circuit breaker.

Reads that arrive while others are under way share the next round trip; writes happen behind the answers,
in batches.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from gateway.circuit import Circuit
from gateway.coalesce import Coalescer
from gateway.redis_client import FAILURES

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

ROUND_TRIP_S = 0.04
"""The longest one read may take; then it has failed."""

WAIT_S = 0.045
"""The longest a request waits for its turn and its read; then it goes on as a miss."""

WRITE_S = 1.0

PENDING = 4096
"""Writes kept in hand; more are dropped: a cache may forget."""

BATCH = 256


def redis_key(model: str, key: bytes) -> bytes:
    """Where a fix lies in Redis: a model's entries share a prefix, so that they can be cleared together."""
    return b"fixgate:fix:%b:%b" % (model.encode(), key.hex().encode())


class RedisCache:
    """Never raises: Redis away, hanging or wrong is a miss, and after some of those it is left alone."""

    def __init__(self, redis: "Redis", ttl_s: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._ttl_s = ttl_s
        self._clock = clock
        self._circuit = Circuit()
        self._reads: Coalescer[None, bytes, bytes | None] = Coalescer(self._read, in_flight=2)
        self._pending: dict[bytes, bytes] = {}
        self._handed_over = asyncio.Event()
        self.dropped = 0

    @property
    def available(self) -> bool:
        """Whether Redis answered lately, or has not been tried."""
        return not self._circuit.open

    @property
    def pending(self) -> int:
        """Writes in hand."""
        return len(self._pending)

    async def get(self, model: str, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """The values found, within `WAIT_S`."""
        nothing: list[bytes | None] = [None] * len(keys)
        if not self._circuit.allows(self._clock()):
            return nothing
        try:
            async with asyncio.timeout(WAIT_S):
                found = await self._reads.many(None, [redis_key(model, key) for key in keys], limit=BATCH)
        except TimeoutError:
            return nothing
        return [one if isinstance(one, bytes) else None for one in found]

    def put(self, model: str, values: Mapping[bytes, bytes]) -> None:
        """Hand the values to the writer, or drop them when it is behind."""
        for key, value in values.items():
            if len(self._pending) >= PENDING:
                self.dropped += 1
            else:
                self._pending[redis_key(model, key)] = value
        self._handed_over.set()

    async def write_behind(self) -> None:
        """Write what is handed over, for ever."""
        while True:
            await self._handed_over.wait()
            while self._pending:
                batch = dict(islice(self._pending.items(), BATCH))
                await self._write(batch)
                for key in batch:
                    del self._pending[key]
            self._handed_over.clear()

    async def _read(self, _: None, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        try:
            async with asyncio.timeout(ROUND_TRIP_S):
                found: Sequence[Any] = await self._redis.mget(keys)
        except FAILURES as error:
            self._failed(error)
            return [None] * len(keys)
        self._circuit.succeeded()
        return found

    async def _write(self, values: Mapping[bytes, bytes]) -> None:
        if not self._circuit.allows(self._clock()):
            self.dropped += len(values)
            return
        try:
            async with asyncio.timeout(WRITE_S), self._redis.pipeline(transaction=False) as pipeline:
                for key, value in values.items():
                    pipeline.set(key, value, ex=self._ttl_s)
                outcomes = await pipeline.execute(raise_on_error=False)
        except FAILURES as error:
            self.dropped += len(values)
            self._failed(error)
        else:
            self.dropped += sum(isinstance(outcome, Exception) for outcome in outcomes)
            self._circuit.succeeded()

    def _failed(self, error: BaseException) -> None:
        was_open = self._circuit.open
        self._circuit.failed(self._clock())
        if self._circuit.open and not was_open:
            log.warning("the Redis cache is left alone for a while: %s", str(error) or type(error).__name__)
