"""From canonical inputs to fixes: memory, the flight under way, the shared cache, the row, Triton."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Protocol, TypeVar

from gateway.cache import FixCache
from gateway.coalesce import Coalescer
from gateway.covariance import fixes
from gateway.domain import Fix, Float, Lane, RawOutputs
from gateway.errors import FixgateError
from gateway.flights import Flights
from gateway.pipeline import Canonical, Pipeline
from gateway.prediction import CacheOutcome
from gateway.stopwatch import Stopwatch

T = TypeVar("T")
Found = tuple[Fix, CacheOutcome] | FixgateError
"""A raw fix and where it came from, or why there is none."""


class Backend(Protocol):
    """Runs models."""

    async def infer(self, lane: Lane, rows: Sequence[Float]) -> RawOutputs:
        """One call; raises Unavailable, BadAnswer."""


class Locator:
    """Finds fixes, computing as few as possible. A cancelled caller leaves; nothing is done for nobody."""

    def __init__(self, *, backend: Backend, cache: FixCache, threads: Executor, calls_in_flight: int) -> None:
        self._backend = backend
        self._cache = cache
        self._threads = threads
        self._calls: Coalescer[Lane, Float, Fix | FixgateError] = Coalescer(
            self._call, in_flight=calls_in_flight
        )
        self._flights: Flights[bytes, Found] = Flights()

    async def one(self, pipeline: Pipeline, canonical: Canonical, *, cached: bool, watch: Stopwatch) -> Found:
        """The fix of one input; `cached` False neither looks anything up nor keeps anything."""
        if not cached:
            return _outcome((await self._compute(pipeline, [canonical], watch))[0], "bypass")
        watch.enter("cache")
        key = pipeline.keys.key(canonical)
        if (fix := self._cache.recent(key)) is not None:
            return fix, "hit"
        if key in self._flights:
            watch.enter("shared")
        found, joined = await self._flights.join(key, partial(self._fly, pipeline, key, canonical, watch))
        return _shared(found) if joined else found

    async def many(
        self, pipeline: Pipeline, canonicals: Sequence[Canonical], *, cached: bool, watch: Stopwatch
    ) -> list[Found]:
        """The fixes of many inputs, in order; equal ones are computed once, and all of them together."""
        if not cached:
            return [_outcome(one, "bypass") for one in await self._compute(pipeline, canonicals, watch)]
        watch.enter("cache")
        keys = [pipeline.keys.key(canonical) for canonical in canonicals]
        found: dict[bytes, Found] = {
            key: (fix, "hit") for key in keys if (fix := self._cache.recent(key)) is not None
        }
        wanted = {key: canonical for key, canonical in zip(keys, canonicals, strict=True) if key not in found}
        if wanted:
            found |= await self._find(pipeline, wanted, watch)
        first = {key: place for place, key in reversed(list(enumerate(keys)))}
        return [found[key] if first[key] == place else _shared(found[key]) for place, key in enumerate(keys)]

    def waiting(self) -> int:
        """Rows that wait for a call to Triton."""
        return self._calls.waiting()

    async def _fly(self, pipeline: Pipeline, key: bytes, canonical: Canonical, watch: Stopwatch) -> Found:
        return (await self._find(pipeline, {key: canonical}, watch))[key]

    async def _find(
        self, pipeline: Pipeline, wanted: Mapping[bytes, Canonical], watch: Stopwatch
    ) -> dict[bytes, Found]:
        """What memory does not have: from the shared cache, or computed and then kept."""
        hits = await self._cache.find(pipeline.model, list(wanted))
        missing = [key for key in wanted if key not in hits]
        found: dict[bytes, Found] = {key: (fix, "hit") for key, fix in hits.items()}
        if missing:
            computed = await self._compute(pipeline, [wanted[key] for key in missing], watch)
            found |= {key: _outcome(one, "miss") for key, one in zip(missing, computed, strict=True)}
            fresh = {key: one for key, one in zip(missing, computed, strict=True) if isinstance(one, Fix)}
            self._cache.keep(pipeline.model, fresh)
        return found

    async def _compute(
        self, pipeline: Pipeline, canonicals: Sequence[Canonical], watch: Stopwatch
    ) -> list[Fix | FixgateError]:
        """Rows, then calls; rows of one shape leave together."""
        watch.enter("frontend")
        rows = await self._rows(pipeline, canonicals)
        watch.enter("triton")
        answers: list[Fix | FixgateError | None] = [
            row if isinstance(row, FixgateError) else None for row in rows
        ]
        lanes: dict[Lane, dict[int, Float]] = {}
        for place, row in enumerate(rows):
            if not isinstance(row, FixgateError):
                lanes.setdefault(pipeline.lane(row), {})[place] = row
        limit = pipeline.version.max_batch_size
        outcomes = await asyncio.gather(
            *(self._calls.many(lane, list(chosen.values()), limit=limit) for lane, chosen in lanes.items())
        )
        for chosen, fixed in zip(lanes.values(), outcomes, strict=True):
            for place, one in zip(chosen, fixed, strict=True):
                answers[place] = _ours(one)
        return [one for one in answers if one is not None]

    async def _rows(self, pipeline: Pipeline, canonicals: Sequence[Canonical]) -> list[Float | FixgateError]:
        """One row per input; the front-end's work is shared among the threads."""
        if not any(pipeline.costly(canonical) for canonical in canonicals):
            return [pipeline.row(canonical) for canonical in canonicals]
        loop = asyncio.get_running_loop()
        rows = await asyncio.gather(
            *(loop.run_in_executor(self._threads, pipeline.row, canonical) for canonical in canonicals),
            return_exceptions=True,
        )
        return [_ours(row) for row in rows]

    async def _call(self, lane: Lane, rows: Sequence[Float]) -> list[Fix | FixgateError]:
        raw = await self._backend.infer(lane, rows)
        return list(fixes(raw.positions, raw.uncertainties, lane.output))


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
