"""One rate after another, until the highest that a service bears is known."""

from collections.abc import Callable
from dataclasses import dataclass

from cli.load import open_loop
from cli.load.connection import Pool
from cli.load.figures import Figures, figures
from cli.load.open_loop import Plan
from cli.load.search import Search


@dataclass(frozen=True, slots=True)
class Goal:
    """95 % of requests within `p95_ms` and none failed; how long a trial lasts."""

    p95_ms: float = 500.0
    seconds: float = 10.0
    warm_s: float = 2.0

    def plan(self, rate: float, seed: int) -> Plan:
        """The plan of one trial."""
        return Plan(rate, self.seconds, self.warm_s, goal_s=self.p95_ms / 1e3, seed=seed)


@dataclass(frozen=True, slots=True)
class Trial:
    """One rate and what came of it; `borne`: the goal was kept and nothing failed.

    `given_up`: it ended early because a request failed or the goal could not be kept any more, so `figures`
    are of what was answered until then (None: nothing). `lag_ms`: how late the generator itself sent 99 % of
    the requests at most; when that is not small against the goal, the generator is what is being measured.
    """

    rate: float
    borne: bool
    given_up: bool
    figures: Figures | None
    lag_ms: float


async def attempt(pool: Pool, request: Callable[[int], bytes], rate: float, goal: Goal, seed: int) -> Trial:
    """Load the service with Poisson arrivals at one rate."""
    done = await open_loop.run(pool, request, goal.plan(rate, seed))
    told = figures(done.samples) if done.samples else None
    borne = told is not None and not done.given_up and not told.failed and told.p95_ms < goal.p95_ms
    lag = sorted(done.lag_s)
    return Trial(rate, borne, done.given_up, told, lag[int(len(lag) * 0.99)] * 1e3 if lag else 0.0)


async def highest(
    pool: Pool,
    request: Callable[[int], bytes],
    search: Search,
    goal: Goal,
    told: Callable[[Trial, Search], None] = lambda *_: None,
) -> list[Trial]:
    """Try rates until the search is done; every trial draws its own arrivals."""
    trials: list[Trial] = []
    while (rate := search.rate) is not None:
        trial = await attempt(pool, request, rate, goal, seed=len(trials) + 1)
        trials.append(trial)
        search.tell(rate, trial.borne)
        told(trial, search)
    return trials
