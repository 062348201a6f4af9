"""The highest rate of Poisson arrivals whose p95 stays under 500 ms (bar 6)."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import uvloop

from benchmarks import bodies, machine
from benchmarks.bodies import Form
from benchmarks.peers.peer import Peer
from benchmarks.record import Plot, Result
from benchmarks.rounds import Side, alternate, ratios, spread
from benchmarks.sections.throughput import OURS
from benchmarks.service import CACHE
from benchmarks.setting import UNCACHED, UNSHED, Setting
from benchmarks.workloads.models import TINY
from cli.load import message
from cli.load.connection import Pool
from cli.load.search import Search
from cli.load.trials import Goal, Trial, highest

BODIES = 256
TRIAL_S = 10.0
START = 128.0


def arrivals(setting: Setting) -> Result:
    """Open loop, bisection; each side's search is one turn of a round."""
    load = machine.load()
    goal = Goal(seconds=max(TRIAL_S, setting.seconds))
    found: dict[str, list[float]] = {}
    tried: dict[str, list[Trial]] = {}

    def side(name: str, form: Form, running: Callable[[], AbstractContextManager[str]]) -> Side[float]:
        def measure() -> float:
            start = found.get(name, [0.0])[-1] * 0.95 or START
            with running() as url:
                trials, rate = uvloop.run(_search(url, form, start, goal, setting))
            found.setdefault(name, []).append(rate)
            tried.setdefault(name, []).extend(trials)
            return rate

        return Side(name, measure)

    sides = [side(OURS, bodies.TENSOR.patient(), lambda: _gateway(setting))]
    sides += [
        side(peer.name, peer.form, lambda peer=peer: _peer(peer))  # type: ignore[misc]
        for peer in setting.chosen_peers()
    ]
    taken = alternate(sides, setting.rounds, lambda name, rate: setting.say(f"  {name}: {rate:.0f}/s"))
    peers = {name: rates for name, rates in taken.items() if name != OURS}
    best = max(peers.values(), key=statistics.median) if peers else []
    return setting.result(
        "arrivals",
        "Poisson arrivals",
        f"ConvNeXt-Tiny, no cache; open loop, {goal.seconds:g} s a rate after {goal.warm_s:g} s of warm-up, "
        "latency from the moment a request was due. A rate is borne when 95 % of its requests are answered "
        "within 500 ms and none fails; the highest is found by doubling and bisection to 5 %.",
        ("served by", "highest rate borne, requests/s", "p95 there, ms", "rates tried"),
        [
            [name, spread(rates), _p95_at(tried[name], rates), str(len(tried[name]))]
            for name, rates in taken.items()
        ],
        load_before=load,
        figures={"6": ratios(taken[OURS], best)} if best and min(best) > 0 else {},
        plots=[
            Plot(
                "curves",
                "Latency over arrival rate, ConvNeXt-Tiny",
                "p95 ms",
                {name: _curve(trials) for name, trials in tried.items()},
                line=goal.p95_ms,
                across="requests/s",
            )
        ],
        notes=[f"The generator sent 99 % of requests at most {_lag(tried):.1f} ms late."],
        raw={name: [[one.rate, one.borne] for one in trials] for name, trials in tried.items()},
    )


async def _search(
    url: str, form: Form, start: float, goal: Goal, setting: Setting
) -> tuple[list[Trial], float]:
    requests = [message.post(url, body, form.headers) for body in form.bodies(BODIES)]
    pool = Pool(message.address(url))
    search = Search(start)

    def told(trial: Trial, _: Search) -> None:
        p95 = (
            "over the goal"
            if trial.given_up or trial.figures is None
            else f"p95 {trial.figures.p95_ms:.0f} ms"
        )
        setting.say(f"    {trial.rate:.0f}/s: {p95}")

    try:
        await pool.open(16)
        trials = await highest(pool, lambda number: requests[number % BODIES], search, goal, told)
    finally:
        pool.close()
    return trials, search.held or 0.0


@contextmanager
def _gateway(setting: Setting) -> Iterator[str]:
    with setting.service().gateway(UNSHED) as gateway:
        yield f"{gateway.url}/models/{TINY.name}/predict{UNCACHED}"


def _peer(peer: Peer) -> AbstractContextManager[str]:
    return peer.running(TINY.file(CACHE / "models"), CACHE)


def _p95_at(trials: list[Trial], rates: list[float]) -> str:
    there = [one.figures.p95_ms for one in trials if one.borne and one.rate in rates and one.figures]
    return spread(there) if there else "-"


def _curve(trials: list[Trial]) -> list[list[float]]:
    whole = [one for one in trials if one.figures and not one.given_up]
    return sorted([one.rate, one.figures.p95_ms] for one in whole if one.figures)


def _lag(tried: dict[str, list[Trial]]) -> float:
    return max((one.lag_ms for trials in tried.values() for one in trials if one.borne), default=0.0)
