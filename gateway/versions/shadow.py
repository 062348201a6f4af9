"""Copies of answered recordings for the versions that are compared with the champion.

A copy waits in a bounded queue until its answer has left and nothing else waits for Triton. Then the fixes
that are not known yet are computed, at the lowest priority and one after the other, with pauses, so that
mirrored work takes a fiftieth of the time at most: no more than one request in fifty may meet it. What comes
too fast or waits too long is dropped and counted.

Fixes that memory holds are used; those computed here are not kept: the cache's room is for what clients
ask for. An answer from the cache whose recording has been compared already is not compared again.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from contract.catalog import ServedVersion
from gateway.deadline import within
from gateway.domain import Fix, PredictRequest
from gateway.errors import FixgateError, InvalidInput, Overloaded
from gateway.locate import Found
from gateway.pipeline import Canonical, Pipeline
from gateway.telemetry.stopwatch import Stopwatch
from gateway.versions.comparison import Comparison, compare
from gateway.versions.routing import Route
from gateway.versions.shadow_plan import Candidate, ShadowPlan, restated, shadow_plan

WAITING, WAITING_BYTES = 64, 32 << 20
"""Copies in the queue, and the bytes of their recordings."""

AFTER_S = 0.02
"""Later than this an answer has left: it is written without a pause after its copy is handed over."""

PATIENCE_S, LOOK_S = 1.0, 0.01
"""How long a copy waits for Triton to be idle, and how often it looks."""

REST = 49.0
"""Pause after a copy, in times of what it took: where cores are short, copies take longer and are fewer."""

COMPUTE_S = 10.0
PAIRS_PER_S = 10.0
"""Samples of a rival's and the champion's answers, for each rival."""

REMEMBERED = 4096
"""Compared answers that are recognised when they come from the cache again, for each version."""

Compute = Callable[[Pipeline, Canonical, Stopwatch, float], Coroutine[Any, Any, Found]]
"""A fix at the lowest priority, before a deadline on the event loop's clock; nothing is looked up or kept."""


class Findings(Protocol):
    """Told what comes of the copies."""

    def compared(self, model: str, version: int, one: Comparison) -> None:
        """A version's fix was held against the champion's."""

    def mirror_took(self, model: str, version: int, ms: float) -> None:
        """A version computed a copy in that time."""

    def mirror_failed(self, model: str, version: int, error: FixgateError) -> None:
        """A version gave no fix for a copy."""

    def skipped(self, model: str, version: int, reason: str) -> None:
        """A version was not given a copy."""


@dataclass(slots=True, eq=False)
class _Followed:
    """A candidate, when it was last sampled, and which answers it has been compared on."""

    candidate: Candidate
    sampled_at: float = 0.0
    _seen: dict[int, Fix] = field(default_factory=dict)

    def has_seen(self, answer: Fix) -> bool:
        """By identity: memory gives the same object again, and comparing takes longer."""
        return self._seen.get(id(answer)) is answer

    def remember(self, answer: Fix) -> None:
        self._seen[id(answer)] = answer
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]


@dataclass(slots=True, eq=False)
class _Model:
    """One model's route and plan."""

    route: Route
    plan: ShadowPlan | None
    followed: dict[int, tuple[_Followed, ...]]
    pipelines: dict[int, Pipeline] = field(default_factory=dict)

    def pipeline(self, version: ServedVersion) -> Pipeline:
        found = self.pipelines.get(version.version)
        if found is None:
            found = self.pipelines[version.version] = Pipeline(self.route.model.name, version)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Copy:
    """An answered recording, and for whom it is."""

    model: _Model
    plan: ShadowPlan
    answered: ServedVersion
    request: PredictRequest
    answer: Fix
    wanted: Sequence[_Followed]
    nbytes: int
    due: float


class Shadow:
    """Takes copies, and compares.

    Args:
        share: of the answers that the shadow version is given, in [0, 1].
        waiting: rows that wait for a call to Triton.
        available: whether a version of a model can answer.
        recent: the fix that memory holds for a cache key.
    """

    def __init__(
        self,
        *,
        share: float,
        compute: Compute,
        recent: Callable[[bytes], Fix | None],
        waiting: Callable[[], int],
        available: Callable[[str, int], bool],
        findings: Sequence[Findings],
    ) -> None:
        self._share = share
        self._compute = compute
        self._recent = recent
        self._waiting = waiting
        self._available = available
        self._findings = findings
        self._models: dict[str, _Model] = {}
        self._queue: deque[_Copy] = deque()
        self._bytes = 0
        self._handed_over = asyncio.Event()

    @property
    def queued(self) -> int:
        """Copies that wait."""
        return len(self._queue)

    def put(
        self, route: Route, answered: ServedVersion, request: PredictRequest, answer: Fix, hit: bool
    ) -> None:
        """Hand over a copy of an answered recording; never waits.

        Args:
            answer: the raw fix.
            hit: it came from the cache.
        """
        model = self._models.get(route.model.name)
        if model is None or model.route is not route:
            model = self._follow(route)
        followed = model.followed.get(answered.version)
        if followed is None or model.plan is None:
            return
        now = time.monotonic()
        wanted = [one for one in followed if self._wants(one, answer, now, hit)]
        if wanted:
            nbytes = request.recording.nbytes
            if len(self._queue) >= WAITING or self._bytes + nbytes > WAITING_BYTES:
                self._skip(model, wanted, "queue_full")
                return
            self._bytes += nbytes
            copy = _Copy(model, model.plan, answered, request, answer, wanted, nbytes, now + AFTER_S)
            self._queue.append(copy)
            self._handed_over.set()

    async def run(self) -> None:
        """Compare what is handed over, for ever."""
        while True:
            await self._handed_over.wait()
            self._handed_over.clear()
            while self._queue:
                copy = self._queue.popleft()
                self._bytes -= copy.nbytes
                if self._models.get(copy.model.route.model.name) is not copy.model:
                    continue  # of a policy that is not in force any more
                await asyncio.sleep(copy.due - time.monotonic())
                if await self._idle():
                    began = time.perf_counter()
                    await self._compare(copy)
                    await asyncio.sleep(REST * (time.perf_counter() - began))
                else:
                    self._skip(copy.model, copy.wanted, "busy")

    def _follow(self, route: Route) -> _Model:
        """A new catalogue, or a new policy: every comparison begins anew."""
        plan = shadow_plan(route)
        followed = {
            number: tuple(map(_Followed, candidates))
            for number, candidates in (plan.candidates if plan else {}).items()
        }
        model = self._models[route.model.name] = _Model(route, plan, followed)
        return model

    def _wants(self, one: _Followed, answer: Fix, now: float, hit: bool) -> bool:
        if hit and one.has_seen(answer):
            return False
        if not one.candidate.sampled:
            return random.random() < self._share  # noqa: S311 - a share of traffic is no secret  # nosec B311
        if now - one.sampled_at < 1 / PAIRS_PER_S:
            return False
        one.sampled_at = now
        return True

    async def _idle(self) -> bool:
        """Whether nothing waits for Triton, within a while."""
        for _ in range(round(PATIENCE_S / LOOK_S)):
            if not self._waiting():
                return True
            await asyncio.sleep(LOOK_S)
        return False

    async def _compare(self, copy: _Copy) -> None:
        """Find the champion's fix, then each candidate's, as far as they are not the answer."""
        champion = await self._fix(copy, copy.plan.champion)
        if champion is None:
            return
        for one in copy.wanted:
            version = one.candidate.version
            fix = await self._fix(copy, version)
            if fix is not None:
                one.remember(copy.answer)
                found = compare(champion, fix)
                for findings in self._findings:
                    findings.compared(copy.model.route.model.name, version.version, found)

    async def _fix(self, copy: _Copy, version: ServedVersion) -> Fix | None:
        """A version's fix as clients would get it, or None, which is counted."""
        if version.version == copy.answered.version:
            return copy.answer.scaled(version.sigma_scale)
        model, number = copy.model.route.model.name, version.version
        if not self._available(model, number):
            self._skipped(model, number, "not_ready")
            return None
        try:
            request = restated(copy.request, copy.answered.contract, version.contract)
            fix = await self._found(copy.model.pipeline(version), request)
            return fix.scaled(version.sigma_scale)
        except InvalidInput:
            self._skipped(model, number, "other_input")
        except Overloaded:
            self._skipped(model, number, "busy")
        except FixgateError as error:
            for findings in self._findings:
                findings.mirror_failed(model, number, error)
        return None

    async def _found(self, pipeline: Pipeline, request: PredictRequest) -> Fix:
        canonical = pipeline.canonical(request)
        if request.options.cache_enabled:
            known = self._recent(pipeline.keys.key(canonical))
            if known is not None:
                return known
        watch, deadline = Stopwatch(), asyncio.get_running_loop().time() + COMPUTE_S
        found = await within(deadline, watch, self._compute(pipeline, canonical, watch, deadline))
        if isinstance(found, FixgateError):
            raise found.with_traceback(None)
        for findings in self._findings:
            findings.mirror_took(pipeline.model, pipeline.version.version, watch.elapsed_ms)
        return found[0]

    def _skip(self, model: _Model, wanted: Sequence[_Followed], reason: str) -> None:
        for one in wanted:
            self._skipped(model.route.model.name, one.candidate.version.version, reason)

    def _skipped(self, model: str, version: int, reason: str) -> None:
        for findings in self._findings:
            findings.skipped(model, version, reason)
