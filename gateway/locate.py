"""From canonical inputs to fixes: memory, the flight under way, the shared cache, the row, Triton.

Whoever is found in a cache is answered however much there is to do; the rest must be admitted before anything
is computed for it.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from gateway.admission import Admission, Held, Station
from gateway.cache.fixes import FixCache
from gateway.coalesce import Coalescer
from gateway.domain import Fix, Float, Lane, RawOutputs
from gateway.errors import FixgateError, Overloaded
from gateway.flights import Flights
from gateway.in_flight import InFlight
from gateway.pipeline import Canonical, Pipeline
from gateway.prediction import CacheOutcome
from gateway.priority import Priority
from gateway.telemetry import traceparent
from gateway.telemetry.stopwatch import Stopwatch
from gateway.threads import Threads
from gateway.uncertainty.covariance import fixes

T = TypeVar("T")
Found = tuple[Fix, CacheOutcome] | FixgateError
"""A raw fix and where it came from, or why there is none."""


RARE = 0.1
"""Share of cached fixes below which no body is looked at for the sake of one."""

LARGEST_CALL = 1024
"""Rows, where the version's own limit does not matter."""

_NEWEST = 0.02


class Urgency(NamedTuple):
    """Who goes first, and when it is too late (on the event loop's clock)."""

    priority: Priority
    deadline: float


class _Row(NamedTuple):
    values: Float
    pipeline: Pipeline
    priority: Priority
    watch: Stopwatch


class Backend(Protocol):
    """Runs models."""

    async def infer(self, lane: Lane, rows: Sequence[Float]) -> RawOutputs:
        """One call; raises Unavailable, BadAnswer."""


class Locator:
    """Finds fixes, computing as few as possible. A cancelled caller leaves; nothing is begun for nobody."""

    def __init__(
        self,
        *,
        backend: Backend,
        cache: FixCache,
        threads: Threads,
        admission: Admission,
        in_flight: InFlight,
    ) -> None:
        self._backend = backend
        self._cache = cache
        self._threads = threads
        self._admission = admission
        self._calls: Coalescer[Lane, _Row, Fix | FixgateError] = Coalescer(
            self._call, in_flight, self._patience_s
        )
        self._flights: Flights[tuple[bytes, bool], Found] = Flights()
        self._hits: dict[str, float] = {}

    async def one(
        self,
        pipeline: Pipeline,
        canonical: Canonical,
        *,
        cached: bool,
        watch: Stopwatch,
        priority: Priority = Priority.INTERACTIVE,
        deadline: float = math.inf,
    ) -> Found:
        """The fix of one input; `cached` False neither looks anything up nor keeps anything.

        Raises:
            Overloaded: it would come after `deadline` (the event loop's clock), or later than the objective.
        """
        if not cached:
            urgency = Urgency(priority, deadline)
            return _outcome(await self._compute_one(pipeline, canonical, watch, urgency), "bypass")
        watch.enter("cache")
        key = pipeline.keys.key(canonical)
        if (fix := self._cache.recent(key)) is not None:
            self._looked_up(pipeline.model, 1, 1)
            return fix, "hit"
        urgency = Urgency(priority, deadline)
        place = (key, priority is Priority.SHADOW)  # mirrored flights are refused sooner: not shared
        if place in self._flights:
            watch.enter("shared")
        start = partial(self._fly, pipeline, key, canonical, watch, urgency)
        found, joined = await self._flights.join(place, start)
        while joined and isinstance(found, Overloaded) and found.for_deadline:
            # Too late for whoever began that flight, and left with it. So this ends: each time one is fewer.
            found, joined = await self._flights.join(place, start)
        if isinstance(found, Overloaded):
            raise found.with_traceback(None)
        return _shared(found) if joined else found

    async def many(
        self,
        pipeline: Pipeline,
        canonicals: Sequence[Canonical],
        *,
        cached: bool,
        watch: Stopwatch,
        priority: Priority = Priority.BATCH,
        deadline: float = math.inf,
    ) -> list[Found]:
        """The fixes of many inputs, in order; equal ones are computed once, and all of them together.

        Raises:
            Overloaded: as for `one`; for all of them.
        """
        urgency = Urgency(priority, deadline)
        if not cached:
            computed = await self._compute(pipeline, canonicals, watch, urgency)
            return [_outcome(one, "bypass") for one in computed]
        watch.enter("cache")
        keys = [pipeline.keys.key(canonical) for canonical in canonicals]
        found: dict[bytes, Found] = {
            key: (fix, "hit") for key in keys if (fix := self._cache.recent(key)) is not None
        }
        wanted = {key: canonical for key, canonical in zip(keys, canonicals, strict=True) if key not in found}
        self._looked_up(pipeline.model, len(found), len(found))
        if wanted:
            found |= await self._find(pipeline, wanted, watch, urgency)
        first = {key: place for place, key in reversed(list(enumerate(keys)))}
        return [found[key] if first[key] == place else _shared(found[key]) for place, key in enumerate(keys)]

    def waiting(self) -> int:
        """Rows that wait for a call to Triton."""
        return self._calls.waiting()

    def admit(self, model: str, versions: Sequence[int], urgency: Urgency, *, cached: bool) -> None:
        """Return unless none of these versions could answer in time, and no cached fix is to be expected.

        Raises:
            Overloaded: none could.
        """
        if cached and self._hits.get(model, 1.0) > RARE:
            return
        refused, now = None, asyncio.get_running_loop().time()
        for version in versions:
            try:
                self._admit((model, version), 1, LARGEST_CALL, urgency, now, last=False)
            except Overloaded as error:
                refused = error
            else:
                return
        if refused:
            raise refused

    async def _fly(
        self, pipeline: Pipeline, key: bytes, canonical: Canonical, watch: Stopwatch, urgency: Urgency
    ) -> Found:
        """What `_find` does, for one input."""
        fix = (await self._cache.find(pipeline.model, (key,))).get(key)
        self._looked_up(pipeline.model, 1, fix is not None)
        if fix is not None:
            return fix, "hit"
        try:
            computed = await self._compute_one(pipeline, canonical, watch, urgency)
        except Overloaded as error:
            return error
        if isinstance(computed, Fix):
            self._cache.keep(pipeline.model, {key: computed})
        return _outcome(computed, "miss")

    async def _find(
        self, pipeline: Pipeline, wanted: Mapping[bytes, Canonical], watch: Stopwatch, urgency: Urgency
    ) -> dict[bytes, Found]:
        """What memory does not have: from the shared cache, or computed and then kept."""
        hits = await self._cache.find(pipeline.model, list(wanted))
        self._looked_up(pipeline.model, len(wanted), len(hits))
        missing = [key for key in wanted if key not in hits]
        found: dict[bytes, Found] = {key: (fix, "hit") for key, fix in hits.items()}
        if missing:
            computed = await self._compute(pipeline, [wanted[key] for key in missing], watch, urgency)
            found |= {key: _outcome(one, "miss") for key, one in zip(missing, computed, strict=True)}
            fresh = {key: one for key, one in zip(missing, computed, strict=True) if isinstance(one, Fix)}
            self._cache.keep(pipeline.model, fresh)
        return found

    async def _compute_one(
        self, pipeline: Pipeline, canonical: Canonical, watch: Stopwatch, urgency: Urgency
    ) -> Fix | FixgateError:
        """What `_compute` does, for one input and, if it needs no thread, without what only several need."""
        if pipeline.costly(canonical):
            return (await self._compute(pipeline, [canonical], watch, urgency))[0]
        with self._admitted(pipeline, 1, urgency):
            watch.enter("frontend")
            row = pipeline.row(canonical)
            watch.enter("queue")
            return await self._calls.one(
                pipeline.lane(row),
                _Row(row, pipeline, urgency.priority, watch),
                limit=pipeline.version.max_batch_size,
                priority=urgency.priority,
            )

    async def _compute(
        self, pipeline: Pipeline, canonicals: Sequence[Canonical], watch: Stopwatch, urgency: Urgency
    ) -> list[Fix | FixgateError]:
        """Admission, then rows, then calls; rows of one shape leave together."""
        costly = any(map(pipeline.costly, canonicals))
        if costly:
            left_s = urgency.deadline - asyncio.get_running_loop().time()
            waits, what = self._threads.wait_s, "the signal front-end"
            self._admission.check(waits, left_s, what, urgency.priority, last=False)
        with self._admitted(pipeline, len(canonicals), urgency):
            watch.enter("frontend")
            made = await self._rows(pipeline, canonicals) if costly else list(map(pipeline.row, canonicals))
            watch.enter("queue")
            return await self._answers(pipeline, made, urgency.priority, watch)

    def _admitted(self, pipeline: Pipeline, rows: int, urgency: Urgency) -> Held:
        version, now = pipeline.version, asyncio.get_running_loop().time()
        place = (pipeline.model, version.version)
        station = self._admit(place, rows, version.max_batch_size, urgency, now)
        return station.holding(rows, urgency.priority, now)

    def _looked_up(self, model: str, count: int, hits: int) -> None:
        if count:
            before = self._hits.get(model, 1.0)
            self._hits[model] = before + min(1.0, _NEWEST * count) * (hits / count - before)

    def _admit(
        self,
        place: tuple[str, int],
        rows: int,
        limit: int,
        urgency: Urgency,
        now: float,
        *,
        last: bool = True,
    ) -> Station:
        station = self._admission.station(*place)
        left_s = urgency.deadline - now
        self._admission.check_rows(
            station, rows, limit, priority=urgency.priority, left_s=left_s, now=now, last=last
        )
        return station

    async def _rows(self, pipeline: Pipeline, canonicals: Sequence[Canonical]) -> list[Float | FixgateError]:
        """One row per input; the front-end's work is shared among the threads."""
        rows = await asyncio.gather(
            *(
                self._threads.run(f"frontend {pipeline.model}", one.size, partial(pipeline.row, one))
                for one in canonicals
            ),
            return_exceptions=True,
        )
        return [_ours(row) for row in rows]

    async def _answers(
        self, pipeline: Pipeline, rows: Sequence[Float | FixgateError], priority: Priority, watch: Stopwatch
    ) -> list[Fix | FixgateError]:
        answers: list[Fix | FixgateError | None] = [
            row if isinstance(row, FixgateError) else None for row in rows
        ]
        lanes: dict[Lane, dict[int, _Row]] = {}
        for place, row in enumerate(rows):
            if not isinstance(row, FixgateError):
                lanes.setdefault(pipeline.lane(row), {})[place] = _Row(row, pipeline, priority, watch)
        limit = pipeline.version.max_batch_size
        outcomes = await asyncio.gather(
            *(
                self._calls.many(lane, list(chosen.values()), limit=limit, priority=priority)
                for lane, chosen in lanes.items()
            )
        )
        for chosen, fixed in zip(lanes.values(), outcomes, strict=True):
            for place, one in zip(chosen, fixed, strict=True):
                answers[place] = _ours(one)
        return [one for one in answers if one is not None]

    def _patience_s(self, lane: Lane, rows: int) -> float:
        return self._admission.station(lane.model, lane.version).patience_s(rows)

    async def _call(self, lane: Lane, rows: Sequence[_Row]) -> list[Fix | FixgateError]:
        now = asyncio.get_running_loop().time
        station = self._admission.station(lane.model, lane.version)
        call, answered = station.began([row.priority for row in rows], now()), False
        for row in rows:
            row.watch.enter("triton")
            if row.watch.traceparent:
                traceparent.CURRENT.set(row.watch.traceparent)  # of one of those that share the call
        try:
            raw = await self._backend.infer(lane, [row.values for row in rows])
            answered = True
        except FixgateError as error:
            return [error] * len(rows)
        finally:
            station.ended(call, now(), answered=answered)
        return _described(rows, fixes(raw.positions, raw.uncertainties, lane.output))


def _described(rows: Sequence[_Row], found: Sequence[Fix | FixgateError]) -> list[Fix | FixgateError]:
    """The same, when what will be asked of the fixes has been worked out."""
    rows[0].pipeline.describe(one for one in found if isinstance(one, Fix))
    return list(found)


def _ours(one: T | BaseException) -> T | FixgateError:
    """Errors of ours stand for their item; any other is a fault of the program."""
    if isinstance(one, BaseException) and not isinstance(one, FixgateError):
        raise one
    return one


def _outcome(one: Fix | FixgateError, outcome: CacheOutcome) -> Found:
    return (one, outcome) if isinstance(one, Fix) else one


def _shared(found: Found) -> Found:
    """What another's flight brought: its miss is not ours."""
    return (found[0], "coalesced") if not isinstance(found, FixgateError) and found[1] == "miss" else found
