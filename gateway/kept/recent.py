"""The newest localisations, as Heimdall's dashboard shows them: a bounded stream in Redis.

Nothing happens on the request's path but handing over; the spectrum is made by a thread of its own that is
given at most a fifth of a core, and what comes too fast for it is left out.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.domain import Recording
from gateway.errors import Unavailable
from gateway.kept.localization import Localization, localization
from gateway.kept.write_behind import WriteBehind
from gateway.prediction import Prediction
from gateway.recordings.snr import snr_db
from gateway.redis_client import FAILURES

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

STREAM = "fixgate:recent"
FIELD = b"localization"
LENGTH = 1000
"""Localisations kept in Redis, about."""

WAITING, WAITING_BYTES = 16, 64 << 20
"""Recordings that wait for their spectrum."""

IDLE = 4.0
"""Rest after a spectrum, in times of what it took."""

READ_S = 2.0


class Recent:
    """Keeps and reads them. `thread` makes the spectra."""

    def __init__(self, redis: "Redis", thread: Executor) -> None:
        self._redis = redis
        self._thread = thread
        self._waiting: deque[tuple[Prediction, float, NDArray[np.complex64]]] = deque()
        self._handed_over = asyncio.Event()
        self._passed_over = 0
        self.writer = WriteBehind[Localization]("recent localisations", self._write, bound=LENGTH)

    @property
    def dropped(self) -> int:
        """Localisations left out because too many came at once, or Redis was away."""
        return self._passed_over + self.writer.dropped

    def put(self, prediction: Prediction, recording: Recording) -> None:
        """Hand over a prediction; one without IQ or without a frequency has no place here."""
        iq, frequency_mhz = recording.iq, prediction.options.frequency_mhz
        if iq is None or frequency_mhz is None:
            return
        held = sum(one.nbytes for _, _, one in self._waiting)
        if len(self._waiting) >= WAITING or held + iq.nbytes > WAITING_BYTES:
            self._passed_over += 1
            return
        self._waiting.append((prediction, frequency_mhz, iq))
        self._handed_over.set()

    async def measure(self) -> None:
        """Make the spectra of what is handed over, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._handed_over.wait()
            self._handed_over.clear()
            while self._waiting:
                prediction, frequency_mhz, iq = self._waiting.popleft()
                began = time.perf_counter()
                snr = await loop.run_in_executor(self._thread, snr_db, iq)
                if snr is not None:
                    self.writer.put(localization(prediction, len(iq), frequency_mhz, snr))
                await asyncio.sleep(IDLE * (time.perf_counter() - began))

    async def newest(self, limit: int) -> list[Localization]:
        """At most `limit`, newest first.

        Raises:
            Unavailable: Redis does not answer.
        """
        try:
            async with asyncio.timeout(READ_S):
                entries: Any = await self._redis.xrevrange(STREAM, count=limit)
        except FAILURES as error:
            raise Unavailable("recent localisations are kept in Redis, which does not answer") from error
        found = [one for _, fields in entries if (one := _parsed(fields.get(FIELD))) is not None]
        return sorted(found, key=lambda one: one.at, reverse=True)

    async def _write(self, batch: Sequence[Localization]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for one in batch:
                pipeline.xadd(STREAM, {FIELD: msgspec.json.encode(one)}, maxlen=LENGTH, approximate=True)
            await pipeline.execute()


def _parsed(document: bytes | None) -> Localization | None:
    """What lies in a shared Redis is not trusted."""
    try:
        return msgspec.json.decode(document or b"", type=Localization)
    except msgspec.DecodeError as error:
        log.warning("passed over an entry of %s: %s", STREAM, error)
        return None
