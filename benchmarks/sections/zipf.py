"""Repeated traffic over more recordings than the cache holds (bar 10)."""

import msgspec
import numpy as np
import redis
from numpy.typing import NDArray

from benchmarks import machine, scrape, wrk
from benchmarks.record import Result
from benchmarks.rounds import spread
from benchmarks.service import CACHE, Gateway
from benchmarks.setting import UNSHED, Failed, Setting
from benchmarks.workloads.models import TINY
from benchmarks.wrk import Measured
from benchmarks.zipf import best_hit_rate, sequence
from gateway.cache.memory import ENTRY_BYTES

RECORDINGS, S, KEPT = 10_000, 1.1, 2_500
REDIS_ENTRY_BYTES, REDIS_OTHER_BYTES = 200, 256_000
"""What an entry takes in Redis, and its clients' buffers, roughly; what it held is counted."""

WARM_REQUESTS = 10_000
PATH = f"/models/{TINY.name}/predict?dtype=f32_le"


def zipf(setting: Setting) -> Result:
    """Memory and Redis each hold a quarter of the recordings at most."""
    load = machine.load()
    numbers = sequence(RECORDINGS, 400_000, s=S, seed=1)
    options = {"FIXGATE_CACHE_L1_BYTES": str(KEPT * ENTRY_BYTES), "FIXGATE_REMEMBER": "off", **UNSHED}
    runs: list[Measured] = []
    hit_rates: list[float] = []
    service = setting.service()
    with redis.Redis.from_url(service.parts.redis_url) as client, service.gateway(options) as gateway:
        room = KEPT * REDIS_ENTRY_BYTES + REDIS_OTHER_BYTES
        roomy = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + room)
        try:
            sent = _warm(gateway, numbers, setting)
            for _ in range(setting.rounds):
                before = scrape.outcomes(gateway.url)
                run = _run(gateway, numbers, setting, sent, setting.seconds)
                sent += run.requests
                runs.append(run)
                hit_rates.append(scrape.hit_rate(scrape.since(before, scrape.outcomes(gateway.url))))
                setting.told(f"hit rate {hit_rates[-1]:.3f}", run)
            in_redis = sum(1 for _ in client.scan_iter("fixgate:fix:*", count=1000))
        finally:
            client.config_set("maxmemory", roomy)
    row = [
        f"{sum(run.requests for run in runs):,}",
        spread([run.rate for run in runs]),
        spread(hit_rates),
        *(spread([getattr(run, name) for run in runs]) for name in ("p50_ms", "p95_ms", "p99_ms")),
        str(sum(run.failed for run in runs)),
    ]
    return setting.result(
        "zipf",
        "Repeated traffic",
        f"ConvNeXt-Tiny, {setting.connections} connections, recordings drawn from {RECORDINGS:,} with "
        f"Zipf's law, s = {S}; {sent - sum(run.requests for run in runs):,} requests before the clock "
        "starts. Memory holds about a quarter of them (`FIXGATE_CACHE_L1_BYTES`), Redis was given room for "
        f"as many and held {in_redis:,} fixes at the end; predictions are not remembered. A cache that "
        f"always knew the {KEPT:,} most asked for would reach {best_hit_rate(RECORDINGS, KEPT, s=S):.2f}.",
        ("requests", "requests/s", "hit rate", "p50 ms", "p95 ms", "p99 ms", "failed"),
        [row],
        load_before=load,
        figures={"10": hit_rates, "10 p95": [run.p95_ms for run in runs]},
        raw={"runs": msgspec.to_builtins(runs)},
    )


def _warm(gateway: Gateway, numbers: NDArray[np.int64], setting: Setting) -> int:
    sent = 0
    while sent < WARM_REQUESTS:
        sent += _run(gateway, numbers, setting, sent, setting.seconds).requests
    return sent


def _run(
    gateway: Gateway, numbers: NDArray[np.int64], setting: Setting, first: int, seconds: float
) -> Measured:
    script = wrk.sequence_script(CACHE / "wrk", "zipf", numbers, [PATH], first)
    run = wrk.run(gateway.url, script, connections=setting.connections, seconds=seconds)
    if run.failed:
        raise Failed(f"{run.failed} of {run.requests} requests failed: {scrape.failures(gateway.url)}")
    return run
