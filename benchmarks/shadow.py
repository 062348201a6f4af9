"""What a shadow costs those who are answered: the same load without it, without it again, and with it.

python -m benchmarks.shadow: starts the real parts on free ports; the demo's first version answers, its second
one is the shadow, given all that it can keep up with. The sides take turns on one gateway: the alias moves
in the catalogue, nothing is restarted. The two sides without a shadow tell how much is noise.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import redis

from benchmarks import machine
from benchmarks.bodies import recording
from benchmarks.rounds import Side, alternate, ratios, spread
from cli.load import message, open_loop
from cli.load.connection import Pool
from cli.load.figures import Figures, figures
from contract import catalog, keys
from contract.version_record import merge_windows, window_keys
from demo import shipped
from tests import launch
from tests.planes import REPOSITORY, Parts, gateway_plane, sync_plane
from tests.test_end_to_end import wait_until_ready

NAME = "shadowed"
ALONE, AGAIN, SHADOWED = "without", "without, again", "with a shadow"
BODIES = 256
PATIENT = {"FIXGATE_OBJECTIVE_MS": "20000", "FIXGATE_PREDICT_TIMEOUT_MS": "20000"}
"""Nobody is refused for being late: a refusal is no latency."""

SETTLE_S = 2.5
"""The gateway follows a catalogue within that; what the shadow has in its queue is done or dropped."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One side's turn: latencies, and what the shadow was compared on and not given, per second."""

    figures: Figures
    compared: float
    skipped: float


def main() -> None:
    """Print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shadow", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=12.0, help="each side in each round")
    parser.add_argument("--rates", type=_rates, default=[20.0, 60.0, 200.0], help="requests a second")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with launch.redis_server(home) as redis_url, launch.triton_server(home) as triton:
            with launch.mlflow_server(home) as mlflow_uri:
                parts = Parts(redis_url, mlflow_uri, triton, home)
                _publish(parts)
            with gateway_plane(parts, {"FIXGATE_DEFAULT_MODEL": NAME, **PATIENT}) as url:
                wait_until_ready(url, "/ready")
                _measure(parts.redis_url, url, given)


def _rates(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _publish(parts: Parts) -> None:
    """Both versions through the front door; then MLflow and sync are stopped: they would take their share."""
    for version, more in ((1, ("--alias", "champion")), (2, ("--tag", "fixgate.serve=true"))):
        one = shipped.VERSIONS[version - 1]
        subprocess.run(
            [
                *(sys.executable, "-m", "cli", "register", str(one.model), "--name", NAME),
                *("--contract", str(one.contract), "--mlflow-uri", parts.mlflow_uri, *more),
            ],
            cwd=REPOSITORY,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    options = {"FIXGATE_MODELS": NAME, "FIXGATE_DEFAULT_MODEL": NAME}
    with gateway_plane(parts, {"FIXGATE_DEFAULT_MODEL": NAME}) as url, sync_plane(parts, options):
        wait_until_ready(url, f"/models/{NAME}/versions/1")
        wait_until_ready(url, f"/models/{NAME}/versions/2")


def _measure(redis_url: str, url: str, given: argparse.Namespace) -> None:
    print(f"{machine.describe()}; load average before: {machine.load():.2f}.\n")
    print(f"{given.rounds} rounds of {given.seconds:g} s a side; IQ of {recording(0).nbytes / 1e3:.0f} kB;")
    print("Poisson arrivals, latency from the moment a request was due, no answer from the cache.\n")
    print("| requests/s | side | p50 ms | p99 ms | p99 ÷ p99 without | compared/s | not given/s |")
    print("|---|---|---|---|---|---|---|")
    with redis.Redis.from_url(redis_url) as client:
        for rate in given.rates:
            sides = [
                Side(name, lambda on=name == SHADOWED, rate=rate: _turn(client, url, on, rate, given.seconds))
                for name in (ALONE, AGAIN, SHADOWED)
            ]
            taken = alternate(sides, given.rounds)
            alone = [turn.figures.p99_ms for turn in taken[ALONE]]
            for name, turns in taken.items():
                p99 = [turn.figures.p99_ms for turn in turns]
                columns = (
                    [turn.figures.p50_ms for turn in turns],
                    p99,
                    ratios(p99, alone),
                    [turn.compared for turn in turns],
                    [turn.skipped for turn in turns],
                )
                print(f"| {rate:g} | {name} | {' | '.join(map(spread, columns))} |", flush=True)


def _turn(client: "redis.Redis", url: str, shadow: bool, rate: float, seconds: float) -> Turn:
    _announce(client, shadow)
    time.sleep(SETTLE_S)
    before = _record(client)
    found = asyncio.run(_load(url, rate, seconds))
    time.sleep(SETTLE_S)
    after = _record(client)
    return Turn(found, *((late - early) / seconds for early, late in zip(before, after, strict=True)))


def _announce(client: "redis.Redis", shadow: bool) -> None:
    """The same catalogue with the alias, or without it."""
    now = catalog.parse(client.get(keys.CATALOG))
    model = now.models[NAME]
    aliases = {"champion": 1, "shadow": 2} if shadow else {"champion": 1}
    model = msgspec.structs.replace(model, aliases=aliases)
    revision = catalog.next_revision(now.revision, time.time())
    changed = msgspec.structs.replace(now, models={NAME: model}, revision=revision)
    client.set(keys.CATALOG, catalog.dump(changed))
    client.publish(keys.CATALOG, str(revision))


def _record(client: "redis.Redis") -> tuple[int, int]:
    """Compared and not given, in the last half hour."""
    now = time.time()
    found = merge_windows(client.hgetall(name) for name in window_keys(NAME, now - 1800, now))
    if 2 not in found:
        return 0, 0
    return found[2].mirrored, sum(found[2].skipped.values()) + sum(found[2].mirror_errors.values())


async def _load(url: str, rate: float, seconds: float) -> Figures:
    headers = {"Content-Type": "application/octet-stream"}
    target = f"{url}/predict?dtype=cf32_le&receivers=3&cache_enabled=false"
    requests = [message.post(target, recording(number).tobytes(), headers) for number in range(BODIES)]
    pool = Pool(message.address(target))
    plan = open_loop.Plan(rate, seconds, goal_s=10.0, seed=int(np.random.default_rng().integers(1 << 31)))
    try:
        await pool.open(16)
        done = await open_loop.run(pool, lambda number: requests[number % BODIES], plan)
    finally:
        pool.close()
    found = figures(done.samples)
    if found.failed:
        raise RuntimeError(f"{found.failed} of {found.requests} requests failed: {found.failures}")
    return found


if __name__ == "__main__":
    main()
