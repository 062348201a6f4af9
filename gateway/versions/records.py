"""This process's records of its versions (contract/version_record.py): counted at once, written behind.

Counting is plain arithmetic in memory. Once a second what has changed is written to Redis; while Redis is
away what cannot be written is kept up to a bound, and given up beyond it.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from contract import keys
from contract.version_record import (
    COARSE,
    FINE,
    OWN_DEADLINE,
    SERIES,
    Series,
    VersionRecord,
    dump,
    field_name,
    merge,
    merge_windows,
    window_keys,
)
from gateway.errors import FixgateError, Unavailable
from gateway.redis_client import FAILURES
from gateway.telemetry.groups import Book, Predicted
from gateway.versions.comparison import Comparison

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

EVERY_S = 1.0
CALL_S = 2.0
PENDING = 1024
"""Records in hand that are not written; beyond that the oldest are given up."""

_Version = tuple[str, int]
_Place = tuple[str, str]
"""Hash and field in Redis."""


class VersionRecords(Book):
    """Counts what becomes of each version's recordings, and writes and reads the records.

    A window ends when the writer finds its time over, so what comes in the last second counts to either.
    """

    def __init__(self, redis: "Redis", *, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock
        self._process = secrets.token_hex(6)
        self._now: dict[_Version, VersionRecord] = {}
        self._coarse: dict[_Version, VersionRecord] = {}
        self._starts = {series: series.start(clock()) for series in SERIES}
        self._changed: set[_Version] = set()
        self._pending: dict[_Place, tuple[bytes, int]] = {}
        self._complained = False
        self.dropped = 0

    def predicted(self, group: Predicted) -> None:
        """Predictions were given."""
        record, many = self._record(group.model, group.version), len(group.at)
        record.answered += many
        if group.cache != "bypass":
            record.looked_up += many
            record.hits += many if group.cache == "hit" else 0
        record.latency_ms.add_all(group.ms)
        record.semi_major_m.add_all(group.semi_major_m)

    def failed(self, model: str, version: int, error: FixgateError) -> None:
        """A recording got none."""
        name = OWN_DEADLINE if error.own_deadline else type(error).__name__
        _count(self._record(model, version).errors, name)

    def fell_back(self, model: str, version: int, count: int) -> None:
        """So many recordings of a version went to another."""
        self._record(model, version).fell_back += count

    def compared(self, model: str, version: int, one: Comparison) -> None:
        """A version's fix was held against the champion's."""
        record = self._record(model, version)
        record.mirrored += 1
        record.shift_m.add(one.distance_m)
        record.overlap.add(one.overlap)
        record.champion_semi_major_m.add(one.champion_semi_major_m)

    def mirror_took(self, model: str, version: int, ms: float) -> None:
        """A copy was computed by a version in that time."""
        self._record(model, version).mirror_latency_ms.add(ms)

    def mirror_failed(self, model: str, version: int, error: FixgateError) -> None:
        """A copy got no fix from a version."""
        _count(self._record(model, version).mirror_errors, type(error).__name__)

    def skipped(self, model: str, version: int, reason: str) -> None:
        """A copy was not tried."""
        _count(self._record(model, version).skipped, reason)

    async def write_behind(self) -> None:
        """Write what has changed, for ever, and once more at the end."""
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                await self.flush()
        finally:
            self._close_window()
            await self.flush()

    async def flush(self) -> None:
        """Write what has changed."""
        if FINE.start(self._clock()) != self._starts[FINE]:
            self._close_window()
        self._hand_over(FINE, {version: self._now[version] for version in self._changed})
        self._changed.clear()
        if not self._pending:
            return
        batch = dict(self._pending)
        try:
            async with asyncio.timeout(CALL_S), self._redis.pipeline(transaction=False) as pipeline:
                for (name, field), (document, keep_s) in batch.items():
                    pipeline.hset(name, field, document)
                    pipeline.expire(name, keep_s)
                await pipeline.execute()
        except FAILURES as error:
            self._give_up_the_oldest()
            if not self._complained:
                log.warning("records of versions cannot be written: %s", error or type(error).__name__)
            self._complained = True
            return
        self._complained = False
        for place in batch:
            del self._pending[place]

    async def read(self, model: str, span_s: float) -> dict[int, VersionRecord]:
        """What became of a model's versions at all gateways in the last `span_s` seconds.

        Raises:
            Unavailable: Redis does not answer.
        """
        now = self._clock()
        try:
            async with asyncio.timeout(CALL_S), self._redis.pipeline(transaction=False) as pipeline:
                for name in window_keys(model, now - span_s, now):
                    pipeline.hgetall(name)
                windows: list[Any] = await pipeline.execute()
        except FAILURES as error:
            raise Unavailable("the records of versions are kept in Redis, which does not answer") from error
        return merge_windows(windows)

    def _record(self, model: str, version: int) -> VersionRecord:
        """The open window's record, which is about to change."""
        key = (model, version)
        self._changed.add(key)
        record = self._now.get(key)
        if record is None:
            record = self._now[key] = VersionRecord()
        return record

    def _close_window(self) -> None:
        """End the fine window, and add it to the coarse one, which may end as well."""
        self._hand_over(FINE, {version: self._now[version] for version in self._changed})
        for version, record in self._now.items():
            before = self._coarse.get(version)
            self._coarse[version] = merge([before, record]) if before else record
        self._hand_over(COARSE, {version: self._coarse[version] for version in self._now})
        self._now, self._changed = {}, set()
        now = self._clock()
        self._starts[FINE] = FINE.start(now)
        if COARSE.start(now) != self._starts[COARSE]:
            self._starts[COARSE] = COARSE.start(now)
            self._coarse = {}

    def _hand_over(self, series: Series, records: dict[_Version, VersionRecord]) -> None:
        for (model, version), record in records.items():
            name = keys.version_records(model, series.window_s, self._starts[series])
            place = (name, field_name(version, self._process))
            self._pending[place] = (dump(record), series.keep_s + series.window_s)

    def _give_up_the_oldest(self) -> None:
        while len(self._pending) > PENDING:
            del self._pending[next(iter(self._pending))]
            self.dropped += 1


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
