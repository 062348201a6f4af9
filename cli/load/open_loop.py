"""Poisson arrivals: requests are sent when they are due, whether or not earlier ones have been answered.

Latency counts from the moment a request was due, not from when the generator got round to sending it, so that
a service that stalls cannot hide it by stalling its clients (coordinated omission).
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from cli.load.connection import Pool
from cli.load.figures import Sample

TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """Arrivals at `rate` a second for `warm_s` and then `seconds`; only the latter count.

    The run ends early once one of the requests that count has failed, or more than `tolerated` of them have
    taken longer than `goal_s`: the verdict is known then. Requests that are unanswered `patience_s` after the
    last has been due have failed. `to_the_end`: it goes on whatever becomes of them.
    """

    rate: float
    seconds: float
    warm_s: float = 2.0
    goal_s: float = 0.5
    tolerated: float = 0.05
    patience_s: float = 5.0
    seed: int = 1
    to_the_end: bool = False

    def arrivals(self) -> list[float]:
        """Seconds after the start, in order: a Poisson process conditioned on its expected count."""
        whole = self.warm_s + self.seconds
        count = max(1, round(self.rate * whole))
        return sorted(np.random.default_rng(self.seed).uniform(0, whole, count).tolist())


@dataclass(slots=True)
class Run:
    """What came of a plan. `lag_s`: how late the generator itself sent each request that counts."""

    plan: Plan
    samples: list[Sample] = field(default_factory=list)
    lag_s: list[float] = field(default_factory=list)
    given_up: bool = False


async def run(pool: Pool, request: Callable[[int], bytes], plan: Plan) -> Run:
    """Send `request(0)`, `request(1)`, … as planned."""
    done = Run(plan)
    arrivals = plan.arrivals()
    watch = _Watch(done, planned=sum(due >= plan.warm_s for due in arrivals))
    tasks: set[asyncio.Task[None]] = set()
    start = time.perf_counter()
    for number, due in enumerate(arrivals):
        wait = start + due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        if watch.hopeless(time.perf_counter() - start):
            break
        task = asyncio.create_task(_one(pool, request(number), watch, start, due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    until = time.perf_counter() + plan.patience_s
    while tasks and time.perf_counter() < until and not watch.hopeless(time.perf_counter() - start):
        await asyncio.wait(tasks, timeout=TICK_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return done


class _Watch:
    """Which of the requests that count are under way, and how many were too slow."""

    def __init__(self, done: Run, planned: int) -> None:
        self.done = done
        self._plan = done.plan
        self._allowed = done.plan.tolerated * planned
        self._under_way: dict[float, None] = {}
        self._slow = 0

    def sent(self, due: float, now: float) -> None:
        if due >= self._plan.warm_s:
            self._under_way[due] = None
            self.done.lag_s.append(now - due)

    def answered(self, due: float, now: float, status: int) -> None:
        if due < self._plan.warm_s or self.done.given_up:
            return
        del self._under_way[due]
        sample = Sample(due, now - due, status)
        self.done.samples.append(sample)
        self._slow += sample.took > self._plan.goal_s
        self.done.given_up = not sample.ok and not self._plan.to_the_end

    def hopeless(self, now: float) -> bool:
        """Whether the goal is missed whatever comes; marks the run."""
        if self._plan.to_the_end:
            return False
        overdue = 0
        for due in self._under_way:  # in the order in which they were due
            if now - due <= self._plan.goal_s:
                break
            overdue += 1
        self.done.given_up |= self._slow + overdue > self._allowed
        return self.done.given_up


async def _one(pool: Pool, request: bytes, watch: _Watch, start: float, due: float) -> None:
    watch.sent(due, time.perf_counter() - start)
    status = 0
    try:
        status = (await pool.ask(request)).status
    except OSError:
        pass
    finally:
        watch.answered(due, time.perf_counter() - start, status)
