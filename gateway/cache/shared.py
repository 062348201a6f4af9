"""The second level of the cache: Redis, with a time budget and a circuit breaker.

Reads that arrive while others are under way share the next round trip; writes happen behind the answers,
in batches.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from contract.keys import FIXES
from gateway.circuit import Circuit
from gateway.coalesce import Coalescer
from gateway.in_flight import InFlight
from gateway.redis_client import FAILURES

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

T = TypeVar("T")

ROUND_TRIP_S = 0.024
"""The longest Redis may take over one read; then it has failed. A request waits for two at most: the one
under way when it comes, and its own."""

LOOKS = 4
"""Turns of the event loop, after which what had arrived when the time was over has been read."""

CONNECTIONS = 3
"""Made before they are needed: two reads at once, and the writer."""

WRITE_S = 1.0

PENDING = 4096
"""Writes kept in hand; more are dropped: a cache may forget."""

BATCH = 256


def redis_key(model: str, key: bytes) -> bytes:
    """Where a fix lies in Redis: a model's entries share a prefix, so that they can be cleared together."""
    return f"{FIXES}{model}:{key.hex()}".encode()


class RedisCache:
    """Never raises: Redis away, hanging or wrong is a miss, and after some of those it is left alone."""

    def __init__(self, redis: "Redis", ttl_s: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._ttl_s = ttl_s
        self._clock = clock
        self._circuit = Circuit()
        self._reads: Coalescer[None, bytes, bytes | None] = Coalescer(self._read, InFlight(2))
        self._pending: dict[bytes, bytes] = {}
        self._handed_over = asyncio.Event()
        self._cold = True
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
        """The values found, within two round trips' time."""
        if not self._circuit.allows(self._clock()):
            return [None] * len(keys)
        if len(keys) == 1:
            found: Sequence[Any] = (await self._reads.one(None, redis_key(model, keys[0]), limit=BATCH),)
        else:
            found = await self._reads.many(None, [redis_key(model, key) for key in keys], limit=BATCH)
        return [one if isinstance(one, bytes) else None for one in found]

    def put(self, model: str, values: Mapping[bytes, bytes]) -> None:
        """Hand the values to the writer, or drop them when it is behind."""
        for key, value in values.items():
            if len(self._pending) >= PENDING:
                self.dropped += 1
            else:
                self._pending[redis_key(model, key)] = value
        self._handed_over.set()

    def forget_pending(self) -> None:
        """Drop what is not written yet."""
        self._pending.clear()

    async def write_behind(self) -> None:
        """Write what is handed over, for ever; connect first, and again after each failure."""
        self._handed_over.set()
        while True:
            await self._handed_over.wait()
            self._handed_over.clear()
            if self._cold:
                self._cold = False
                await self._connect()
            while self._pending:
                batch = dict(islice(self._pending.items(), BATCH))
                await self._write(batch)
                for key in batch:
                    self._pending.pop(key, None)

    async def _connect(self) -> None:
        """A read must not wait for a connection as well: over TLS, or by Sentinels, that takes too long."""
        with contextlib.suppress(*FAILURES):
            async with asyncio.timeout(WRITE_S):
                await asyncio.gather(*(self._redis.ping() for _ in range(CONNECTIONS)))

    async def _read(self, _: None, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        try:
            found: Sequence[Any] = await _in_time(self._redis.mget(keys))
        except Exception as error:  # noqa: BLE001 also what a client makes of answers that are none
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
        self._cold = True
        self._handed_over.set()
        if self._circuit.open and not was_open:
            log.warning("the Redis cache is left alone for a while: %s", str(error) or type(error).__name__)


async def _in_time(call: Awaitable[T]) -> T:
    """The answer that Redis gives within `ROUND_TRIP_S`.

    A busy event loop comes late to the answer as well as to the timer: what had arrived counts.

    Raises:
        TimeoutError: it gave none.
    """
    asked = asyncio.ensure_future(call)
    try:
        await asyncio.wait((asked,), timeout=ROUND_TRIP_S)
        for _ in range(LOOKS):
            if asked.done():
                break
            await asyncio.sleep(0)
        else:
            raise TimeoutError
    finally:
        asked.cancel()
    return asked.result()
