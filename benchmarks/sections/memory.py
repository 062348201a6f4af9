"""The gateway's memory over a million requests (bar 11)."""

import numpy as np

from benchmarks import machine, scrape, wrk
from benchmarks.record import Plot, Result
from benchmarks.rounds import number
from benchmarks.service import CACHE, Gateway
from benchmarks.setting import UNSHED, Failed, Setting
from benchmarks.workloads.models import SMALL
from benchmarks.zipf import sequence

EARLY, LATE = 10_000, 1_000_000
RECORDINGS = 10_000
CACHED = f"/models/{SMALL.name}/predict?dtype=f32_le"
PATHS = (CACHED, CACHED, CACHED, CACHED + "&cache_enabled=false")
SHORT_S, LONG_S = 1.0, 10.0


def memory(setting: Setting) -> Result:
    """RSS as requests add up; one process, one run."""
    load = machine.load()
    numbers = sequence(RECORDINGS, 400_000, s=1.1, seed=2)
    curve: list[tuple[float, float]] = []
    with setting.service().gateway({**UNSHED, "FIXGATE_WORKERS": "1"}) as gateway:
        while (sent := _answered(gateway)) < LATE:
            early = sent < 2 * EARLY
            script = wrk.sequence_script(CACHE / "wrk", "memory", numbers, PATHS, sent % 400_000)
            run = wrk.run(
                gateway.url, script, connections=setting.connections, seconds=SHORT_S if early else LONG_S
            )
            if run.failed:
                raise Failed(f"{run.failed} of {run.requests} requests failed")
            curve.append((_answered(gateway), gateway.rss_mb()))
            setting.say(f"  {curve[-1][0]:,.0f} requests: {curve[-1][1]:.1f} MB")
        counted = scrape.outcomes(gateway.url)
    first = next(point for point in curve if point[0] >= EARLY)
    last = curve[-1]
    return setting.result(
        "memory",
        "Memory over a million requests",
        f"One worker of the gateway, the small model, {setting.connections} connections: recordings "
        f"drawn from {RECORDINGS:,} with Zipf's law, a quarter of the requests without the cache (hit rate "
        f"{scrape.hit_rate(counted):.2f} over all), no failed request. Resident memory of the process.",
        ("after requests", "RSS MB"),
        [[f"{point[0]:,.0f}", number(point[1])] for point in (first, _middle(curve), last)],
        load_before=load,
        figures={"11": [last[1] / first[1]], "11 MB": [last[1]]},
        plots=[
            Plot(
                "curves",
                "Resident memory of the gateway",
                "MB",
                {"RSS": [[x / 1e6, y] for x, y in curve]},
                across="million requests",
            )
        ],
    )


def _answered(gateway: Gateway) -> int:
    return sum(scrape.outcomes(gateway.url).values())


def _middle(curve: list[tuple[float, float]]) -> tuple[float, float]:
    return curve[int(np.searchsorted([x for x, _ in curve], LATE / 2))]
