"""Overload, as a discrete-event simulation: the real locator, coalescer and admission, a modelled backend.

Time is virtual, so that the figures are the controller's own and the same on any machine.
"""

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np
import pytest

from gateway.admission import Admission
from gateway.cache.fixes import FixCache
from gateway.cache.memory import MemoryCache
from gateway.deadline import within
from gateway.domain import Float, Lane, RawOutputs
from gateway.errors import DeadlineExceeded, Overloaded
from gateway.in_flight import InFlight
from gateway.locate import Locator
from gateway.pipeline import Pipeline
from gateway.priority import Priority
from gateway.telemetry.stopwatch import Stopwatch
from gateway.threads import Threads
from tests.gateway.cache.test_fixes import Shared
from tests.gateway.fakes import pipeline, row
from tests.gateway.virtual_time import run

LIMIT = 32
OBJECTIVE_S = 0.5
CALLS_IN_FLIGHT = 2


@dataclass
class Backend:
    """`servers` of them; each runs one call at a time, in `fixed_s` + `row_s` a row, give or take `noise`."""

    fixed_s: float
    row_s: float
    servers: int = 1
    noise: float = 0.3
    slower: float = 1.0
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.servers)
        self.calls = self.most_calls = 0

    @property
    def peak(self) -> float:
        """Rows a second at best."""
        return self.servers * LIMIT / (self.fixed_s + self.row_s * LIMIT)

    async def infer(self, lane: Lane, rows: Sequence[Float]) -> RawOutputs:  # noqa: ARG002
        """A call that nobody waits for any more is carried out all the same."""
        await asyncio.shield(self._run(len(rows)))
        stacked = np.stack(rows)
        return RawOutputs(stacked[:, :2], stacked[:, 2:])

    async def _run(self, rows: int) -> None:
        self.calls += 1
        self.most_calls = max(self.most_calls, self.calls)
        async with self._free:
            factor = self.chance.uniform(1 - self.noise, 1 + self.noise) * self.slower
            await asyncio.sleep((self.fixed_s + self.row_s * rows) * factor)
        self.calls -= 1


@dataclass
class Outcome:
    """One request: when it was sent, how long it took, what became of it."""

    sent: float
    took: float = math.nan
    how: str = ""


class Service:
    """The locator over such a backend, with as much of the gateway around it as matters."""

    def __init__(self, backend: Backend, objective_s: float = OBJECTIVE_S) -> None:
        self.backend = backend
        cache = FixCache(MemoryCache(0, 60), Shared())
        self.locator = Locator(
            backend=backend,
            cache=cache,
            threads=Threads(Executor(), 1),
            admission=Admission(objective_s=objective_s, calls_in_flight=CALLS_IN_FLIGHT),
            in_flight=InFlight(CALLS_IN_FLIGHT),
        )
        self.pipeline: Pipeline = pipeline(max_batch_size=LIMIT)
        self.outcomes: list[Outcome] = []

    async def ask(
        self, priority: Priority = Priority.INTERACTIVE, rows: int = 1, within_s: float = 2.0
    ) -> str:
        """One request; what became of it."""
        now = asyncio.get_running_loop().time
        outcome = Outcome(now())
        self.outcomes.append(outcome)
        deadline, watch = now() + within_s, Stopwatch()
        finding = self.locator.many(
            self.pipeline, [row()] * rows, cached=False, watch=watch, priority=priority, deadline=deadline
        )
        try:
            await within(deadline, watch, finding)
            outcome.how = "answered"
        except Overloaded:
            outcome.how = "refused"
        except DeadlineExceeded:
            outcome.how = "late"
        outcome.took = now() - outcome.sent
        return outcome.how

    async def load(self, rate: float, seconds: float) -> list[Outcome]:
        """Poisson arrivals; waits for all answers."""
        before, chance = len(self.outcomes), random.Random(2)
        async with asyncio.TaskGroup() as group:
            loop = asyncio.get_running_loop()
            due, end = loop.time(), loop.time() + seconds
            while (due := due + chance.expovariate(rate)) < end:
                await asyncio.sleep(due - loop.time())
                group.create_task(self.ask())
        return self.outcomes[before:]


def took(outcomes: Sequence[Outcome], how: str = "answered") -> list[float]:
    """Seconds, of those that ended so."""
    return [one.took for one in outcomes if one.how == how]


def between(outcomes: Sequence[Outcome], start: float, end: float) -> list[Outcome]:
    """Those sent in that time."""
    return [one for one in outcomes if start <= one.sent < end]


def tiny() -> Backend:
    """As fast as ConvNeXt-Tiny on two cores: 340 rows a second at best."""
    return Backend(fixed_s=0.006, row_s=0.00275)


def large() -> Backend:
    """As ConvNeXt-Large: 57 rows a second."""
    return Backend(fixed_s=0.017, row_s=0.017)


def parallel() -> Backend:
    """Two of the tiny ones."""
    return Backend(fixed_s=0.006, row_s=0.00275, servers=2)


def instances() -> Backend:
    """ConvNeXt-Tiny in two instances of one thread each, on two slower cores: a call takes as long as anybody
    may wait, and calls of different sizes overlap. 165 rows a second."""
    return Backend(fixed_s=0.003, row_s=0.012, servers=2)


@pytest.mark.parametrize("make", [tiny, large, parallel, instances])
def test_at_three_times_the_capacity_nine_tenths_of_the_peak_are_answered_in_time(
    make: Callable[[], Backend],
) -> None:
    async def simulation() -> None:
        service = Service(make())
        outcomes = await service.load(3 * service.backend.peak, 8)
        steady = between(outcomes, 2, 8)
        good = [one for one in took(steady) if one <= OBJECTIVE_S]
        assert len(good) / 6 >= 0.9 * service.backend.peak
        assert np.percentile(took(steady), 95) < OBJECTIVE_S
        assert took(steady, "late") == []
        assert max(took(steady, "refused")) == 0
        after = await service.load(0.5 * service.backend.peak, 3)
        assert {one.how for one in after} == {"answered"}

    run(simulation())


def test_instances_that_keep_step_are_not_flooded() -> None:
    """Calls of whatever size take 0.2 s, two of them at once, and end together."""

    async def simulation() -> None:
        service = Service(Backend(fixed_s=0.2, row_s=1e-4, servers=2, noise=0.05))
        steady = between(await service.load(3 * service.backend.peak, 10), 2, 10)
        good = [one for one in took(steady) if one <= OBJECTIVE_S]
        assert len(good) / 8 >= 0.7 * service.backend.peak
        assert np.percentile(took(steady), 95) < OBJECTIVE_S
        assert took(steady, "late") == []

    run(simulation())


def test_a_cold_start_into_overload_and_a_burst_after_quiet_settle_within_two_seconds() -> None:
    """Nothing is known at first; after quiet, only what calls of one row take."""

    async def simulation() -> None:
        service = Service(tiny())
        peak = service.backend.peak
        cold = await service.load(3 * peak, 4)
        await service.load(0.05 * peak, 30)
        burst = await service.load(3 * peak, 4)
        for outcomes in (cold, burst):
            assert took(outcomes, "late") == []
            start = outcomes[0].sent
            assert max(took(between(outcomes, start, start + 2))) < 2 * OBJECTIVE_S
            assert np.percentile(took(between(outcomes, start + 2, start + 4)), 95) < OBJECTIVE_S

    run(simulation())


def test_a_burst_that_can_be_answered_in_time_is_not_refused() -> None:
    async def simulation() -> None:
        service = Service(tiny())
        for _ in range(20):
            await service.ask()
        burst = [asyncio.create_task(service.ask()) for _ in range(60)]
        assert set(await asyncio.gather(*burst)) == {"answered"}

    run(simulation())


def test_after_a_stall_it_recovers_by_itself_within_two_seconds() -> None:
    """While the backend hangs, requests are refused at once instead of running into their deadlines."""

    async def simulation() -> None:
        service = Service(tiny())
        rate = 0.7 * service.backend.peak
        await service.load(rate, 5)
        await service.backend._free.acquire()
        during = await service.load(rate, 6)
        service.backend._free.release()
        assert len(took(during, "refused")) > 0.7 * len(during)
        after = await service.load(rate, 4)
        recovered = between(after, after[0].sent + 2, math.inf)
        assert {one.how for one in recovered} == {"answered"}
        assert np.percentile(took(recovered), 95) < OBJECTIVE_S

    run(simulation())


def test_it_follows_a_backend_that_becomes_slower_and_faster_again() -> None:
    async def simulation() -> None:
        service = Service(tiny())
        rate = 0.8 * service.backend.peak
        await service.load(rate, 3)
        service.backend.slower = 4.0
        slow = await service.load(rate, 12)
        steady = between(slow, slow[0].sent + 5, math.inf)
        assert took(steady, "late") == []
        assert np.percentile(took(steady), 95) < 1.2 * OBJECTIVE_S
        service.backend.slower = 1.0
        fast = await service.load(rate, 4)
        recovered = between(fast, fast[0].sent + 2, math.inf)
        assert {one.how for one in recovered} == {"answered"}

    run(simulation())


def test_batches_are_slow_but_not_starved_under_an_overload_of_single_requests() -> None:
    """And mirrored traffic is: of it nothing is sent while others wait, so next to all of it is refused."""

    async def simulation() -> None:
        service = Service(tiny())
        batches: list[str] = []
        mirrored: list[str] = []

        async def others() -> None:
            await asyncio.sleep(2)
            for _ in range(20):
                mirrored.append(await service.ask(Priority.SHADOW))
                batches.append(await service.ask(Priority.BATCH, rows=16, within_s=10))

        _, singles = await asyncio.gather(others(), service.load(3 * service.backend.peak, 12))
        assert batches.count("answered") >= 15
        assert mirrored.count("refused") >= 18
        alone = [one for one in took(between(singles, 2, 12)) if one <= OBJECTIVE_S]
        assert len(alone) > 0.7 * 10 * service.backend.peak

    run(simulation())


def test_a_request_with_less_time_than_it_would_take_is_refused_at_once() -> None:
    async def simulation() -> None:
        service = Service(tiny())
        load = asyncio.create_task(service.load(3 * service.backend.peak, 4))
        await asyncio.sleep(3)
        assert [await service.ask(within_s=0.05) for _ in range(5)] == ["refused"] * 5
        await load

    run(simulation())


@pytest.mark.parametrize("call_s", [0.03, 3.0])
def test_a_client_with_less_time_than_a_call_takes_costs_others_nothing(call_s: float) -> None:
    """Its calls are carried out all the same: nothing may leave in their place, and it is refused itself."""

    async def simulation() -> None:
        service = Service(Backend(fixed_s=call_s, row_s=0.0, noise=0.1), objective_s=20 * call_s)
        for _ in range(3):
            await service.ask(within_s=40 * call_s)
        hurried: list[str] = []

        async def hurry() -> None:
            while True:
                hurried.append(await service.ask(within_s=call_s / 6))
                await asyncio.sleep(call_s / 6)

        hurrying = asyncio.create_task(hurry())
        for _ in range(50):
            assert await service.ask(within_s=40 * call_s) == "answered"
            await asyncio.sleep(call_s)
        hurrying.cancel()
        assert service.backend.most_calls == CALLS_IN_FLIGHT
        assert hurried.count("refused") > 0.5 * len(hurried)
        assert "answered" not in hurried

    run(simulation())


def test_when_full_calls_outlast_every_deadline_it_finds_the_size_that_does_not() -> None:
    """From a cold start, on a backend that needs four seconds for a full call and cannot be stopped."""

    async def simulation() -> None:
        service = Service(Backend(fixed_s=0.06, row_s=0.12))
        outcomes = await service.load(5 * service.backend.peak, 40)
        steady = between(outcomes, 20, 40)
        good = [one for one in took(steady) if one <= OBJECTIVE_S]
        assert len(good) / 20 > 0.4 * service.backend.peak, (len(good), len(took(steady, "late")))
        assert took(steady, "late") == []

    run(simulation())
