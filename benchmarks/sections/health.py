"""Whether long recordings hold up others: `/health` beside 3 x 192,000-sample requests."""

import asyncio
import subprocess

from benchmarks import bodies, machine, wrk
from benchmarks.bodies import Form
from benchmarks.record import Result
from benchmarks.rounds import spread
from benchmarks.sections.iq import QUERY
from benchmarks.service import CACHE
from benchmarks.setting import UNSHED, Setting
from benchmarks.workloads.models import IQ
from cli.load import closed_loop, message
from cli.load.connection import Pool
from cli.load.figures import Figures, figures

SAMPLES = 192_000
IN_FLIGHT = 4
LONG = Form(
    "iq-long",
    lambda row: row.tobytes(),
    {**bodies.OCTETS, **bodies.PATIENCE},
    lambda number: bodies.recording(number, SAMPLES),
)


def health(setting: Setting) -> Result:
    """One client asks `/health` again and again; others send long recordings."""
    load = machine.load()
    script = wrk.script(CACHE / "wrk", LONG, 2 * IN_FLIGHT)
    alone: list[Figures] = []
    beside: list[Figures] = []
    sent = 0
    for _ in range(setting.rounds):
        with setting.service().gateway(UNSHED) as gateway:
            alone.append(asyncio.run(_ask(gateway.url + "/health", setting.seconds)))
            url = f"{gateway.url}/models/{IQ.name}/predict{QUERY}"
            options = ("-t1", f"-c{IN_FLIGHT}", f"-d{setting.seconds + setting.warm_s + 1:.0f}s")
            command = [wrk.ensure(), *options, "--timeout", "20s", "--latency", "-s", str(script), url]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as loading:
                asyncio.run(_ask(gateway.url + "/health", setting.warm_s))
                beside.append(asyncio.run(_ask(gateway.url + "/health", setting.seconds)))
                told, _ = loading.communicate()
            run = wrk.parse(told)
            if run.failed:
                raise RuntimeError(f"{run.failed} of {run.requests} long recordings failed")
            sent += run.requests
            setting.say(f"  p99 {alone[-1].p99_ms:.2f} ms alone, {beside[-1].p99_ms:.2f} ms beside")
    return setting.result(
        "health",
        "Long recordings beside others",
        f"`GET /health`, one request at a time, while {IN_FLIGHT} connections send recordings of 3 × "
        f"{SAMPLES:,} samples (4.6 MB of cf32, no cache, {sent:,} in all) through the front-end, all on the "
        "same cores.",
        ("`/health`", "p50 ms", "p95 ms", "p99 ms", "slowest ms", "requests"),
        [_row("alone", alone), _row("beside long recordings", beside)],
        load_before=load,
        figures={"health": [one.p99_ms for one in beside]},
    )


def _row(name: str, runs: list[Figures]) -> list[str]:
    columns = ("p50_ms", "p95_ms", "p99_ms", "slowest_ms")
    figures = [spread([getattr(run, column) for run in runs]) for column in columns]
    return [name, *figures, f"{sum(run.requests for run in runs):,}"]


async def _ask(url: str, seconds: float) -> Figures:
    pool = Pool(message.address(url))
    request = message.get(url, {})
    try:
        samples = await closed_loop.run(pool, lambda _: request, clients=1, seconds=max(0.1, seconds))
    finally:
        pool.close()
    told = figures(samples)
    if told.failed:
        raise RuntimeError(f"{told.failed} of {told.requests} requests failed")
    return told
