"""Three times the load that the service can bear: what is answered in time and refused, how it recovers."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import uvloop

from benchmarks import bodies, machine
from benchmarks.record import Result
from benchmarks.rounds import spread
from benchmarks.service import Gateway, Service
from benchmarks.setting import UNCACHED, UNSHED, Failed, Setting
from benchmarks.workloads.models import TINY
from cli.load import message, open_loop
from cli.load.connection import Pool
from cli.load.figures import Sample
from cli.load.open_loop import Plan

TIMES = 3.0
OBJECTIVE_S = 0.5
CALM = 0.4
"""Of the peak: what is offered right after the overload."""

CALM_S = 6.0
BODIES = 256
PROBED = ("/health", "/ready", "/metrics")
PROBE_EVERY_S = 0.1


@dataclass(slots=True)
class Cores:
    """Processor seconds a second; `generator` only where it is this process."""

    model: float = 0.0
    gateway: float = 0.0
    generator: float = 0.0


@dataclass(slots=True)
class Round:
    """One overload; seconds, and megabytes of the gateway's processes."""

    peak: float
    peak_cores: Cores
    cores: Cores = field(default_factory=Cores)
    overload: list[Sample] = field(default_factory=list)
    calm: list[Sample] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    lag_s: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def in_time(self) -> float:
        """Requests a second that were answered within the objective."""
        return sum(one.ok and one.took <= OBJECTIVE_S for one in self.overload) / self.seconds

    @property
    def accepted_ms(self) -> float:
        """Their p95."""
        return _p95([one.took for one in self.overload if one.ok])

    @property
    def refused_ms(self) -> float:
        """The refusals' p95."""
        return _p95([one.took for one in self.overload if one.status == 503])

    @property
    def others(self) -> int:
        """Neither answered nor refused."""
        return sum(not one.ok and one.status != 503 for one in self.overload)

    @property
    def recovered_s(self) -> float:
        """From the end of the overload to the last request after it that was refused or late."""
        bad = [one.begun for one in self.calm if not one.ok or one.took > OBJECTIVE_S]
        return max(bad, default=0.0)


def overload(setting: Setting) -> Result:
    """Open loop at three times the closed loop's rate, then calm."""
    load = machine.load()
    rounds = []
    for _ in range(setting.rounds):
        with setting.service().gateway(UNSHED) as gateway, _metered(setting.service(), gateway) as cores:
            peak = setting.closed(_url(gateway), bodies.TENSOR.patient(), connections=64).rate
        with setting.service().gateway() as gateway:
            rounds.append(Round(peak, cores, seconds=setting.seconds))
            uvloop.run(_overload(setting.service(), gateway, rounds[-1]))
        one = rounds[-1]
        if not one.in_time:
            raise Failed(f"nothing was answered in time: {_statuses(one.overload)}")
        setting.say(
            f"  peak {peak:.0f}/s; in time {one.in_time:.0f}/s, p95 {one.accepted_ms:.0f} ms; refusals' p95 "
            f"{one.refused_ms:.1f} ms; recovered after {one.recovered_s:.1f} s"
        )
    return setting.result(
        "overload",
        "Three times the capacity",
        f"ConvNeXt-Tiny, no cache, the gateway as `fixgate up` starts it. Poisson arrivals: {CALM:.0%} of "
        f"the rate of a closed loop with 64 connections, then {TIMES:g} times that rate, then {CALM:.0%} "
        f"again; latency from the moment a request was due. `/health`, `/ready` and `/metrics` are asked in "
        f"turn every {PROBE_EVERY_S * 1e3:.0f} ms.",
        ("", "bar", "measured"),
        _rows(rounds),
        load_before=load,
        figures={
            "overload": [one.in_time / one.peak for one in rounds],
            "overload p95": [one.accepted_ms for one in rounds],
            "refusal p95": [one.refused_ms for one in rounds],
            "recovery": [one.recovered_s for one in rounds],
        },
        notes=[_note(max(_percentile(one.lag_s, 99) for one in rounds))],
        raw={"statuses": [_statuses(one.overload) for one in rounds]},
    )


def _note(lag_s: float) -> str:
    return (
        "The generator shares the cores with what it loads; it sent 99 % of requests at most "
        f"{lag_s * 1e3:.1f} ms late, which counts as latency."
    )


def _rows(rounds: Sequence[Round]) -> list[list[str]]:
    def row(name: str, bar: str, values: Sequence[float]) -> list[str]:
        return [name, bar, spread(values)]

    return [
        row("peak, requests/s", "", [one.peak for one in rounds]),
        row("answered within 500 ms, of the peak", "≥ 0.90", [one.in_time / one.peak for one in rounds]),
        row("p95 of accepted, ms", "< 500", [one.accepted_ms for one in rounds]),
        row("p95 of refusals, ms", "< 20", [one.refused_ms for one in rounds]),
        row("neither answered nor refused", "0", [one.others for one in rounds]),
        row(
            "p99 of probes, ms",
            "",
            [_percentile(one.probes, 99) * 1e3 for one in rounds],
        ),
        row(
            "slowest probe of health, readiness, metrics, ms",
            "< 50",
            [max(one.probes) * 1e3 for one in rounds],
        ),
        row("memory before, MB", "", [one.rss_mb[0] for one in rounds]),
        row("memory at most, MB", "", [max(one.rss_mb) for one in rounds]),
        row("recovery, s", "< 2", [one.recovered_s for one in rounds]),
        row("cores that the model has, at the peak", "", [one.peak_cores.model for one in rounds]),
        row("the same, overloaded", "", [one.cores.model for one in rounds]),
        row("cores that the gateway takes, at the peak", "", [one.peak_cores.gateway for one in rounds]),
        row("the same, overloaded", "", [one.cores.gateway for one in rounds]),
        row("cores that the generator takes, overloaded", "", [one.cores.generator for one in rounds]),
    ]


@contextlib.contextmanager
def _metered(service: Service, gateway: Gateway) -> Iterator[Cores]:
    """What is used meanwhile, filled in at the end."""

    def now() -> tuple[float, float, float, float]:
        return time.perf_counter(), service.model_s(), gateway.processor_s(), time.process_time()

    cores, before = Cores(), now()
    yield cores
    seconds, *used = (after - begun for begun, after in zip(before, now(), strict=True))
    cores.model, cores.gateway, cores.generator = (one / seconds for one in used)


async def _overload(service: Service, gateway: Gateway, done: Round) -> None:
    requests = [message.post(_url(gateway), body, bodies.OCTETS) for body in bodies.TENSOR.bodies(BODIES)]
    done.rss_mb.append(gateway.rss_mb())
    pool = Pool(message.address(gateway.url))
    probing = asyncio.create_task(_probe(gateway, done))

    async def run(rate: float, seconds: float, warm_s: float) -> open_loop.Run:
        plan = Plan(rate, seconds, warm_s, patience_s=15.0, to_the_end=True)
        return await open_loop.run(pool, lambda number: requests[number % BODIES], plan)

    try:
        # A cold start is another matter: tests/gateway/test_overload.py
        await run(CALM * done.peak, CALM_S, 0.0)
        with _metered(service, gateway) as done.cores:
            loaded = await run(TIMES * done.peak, done.seconds, 2.0)
        calm = await run(CALM * done.peak, CALM_S, 0.0)
    finally:
        probing.cancel()
        pool.close()
    await asyncio.gather(probing, return_exceptions=True)
    done.overload, done.calm, done.lag_s = loaded.samples, calm.samples, loaded.lag_s


async def _probe(gateway: Gateway, done: Round) -> None:
    pool = Pool(message.address(gateway.url))
    try:
        while True:
            for path in PROBED:
                began = time.perf_counter()
                answer = await pool.ask(message.get(gateway.url + path, {}))
                done.probes.append(time.perf_counter() - began if answer.ok else float("inf"))
                await asyncio.sleep(PROBE_EVERY_S)
            done.rss_mb.append(gateway.rss_mb())
    finally:
        pool.close()


def _url(gateway: Gateway) -> str:
    return f"{gateway.url}/models/{TINY.name}/predict{UNCACHED}"


def _statuses(samples: Sequence[Sample]) -> dict[str, int]:
    return {
        str(status): sum(one.status == status for one in samples)
        for status in {one.status for one in samples}
    }


def _p95(seconds: Sequence[float]) -> float:
    return _percentile(seconds, 95) * 1e3


def _percentile(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else float("nan")
