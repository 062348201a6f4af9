"""How long the gateway itself takes for an answer: no sockets, no model, every default feature on.

    python -m benchmarks.inside [--rounds 300] > benchmarks/results/inside.md

One process serves 32 connections whose bytes come from memory and go there; Triton's place is taken by a
backend that answers at once, Redis is real. What is told is the thread's processor time from the bytes of a
request to the bytes of its answer, and how many calls of functions Python makes for it (by cProfile, C
functions included), which no other work on the machine disturbs. Bodies are a float32 tensor of 49 KB; "bare"
is an aiohttp handler that reads the same body and answers with as many bytes.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import redis
import uvloop
from aiohttp import web

from benchmarks import machine
from benchmarks.workloads.graph import INPUT, POSITIONS, UNCERTAINTIES
from benchmarks.workloads.models import TENSOR_CONTRACT
from contract import catalog as catalogs
from contract import keys, model
from contract.catalog import Catalog, ServedModel, ServedVersion, TensorSpec
from gateway.app import make_runner
from gateway.config import from_env
from gateway.domain import Float, Lane, RawOutputs
from gateway.triton import endpoints
from stack.part import LOOPBACK
from tests import launch

NAME, SHAPE = "inside", (3, 128, 32)
PATH = "/predict?dtype=f32_le"
CONNECTIONS, BODIES = 32, 256
TAKES_S = "BENCHMARK_CALL_S"
OVERLOADED = {TAKES_S: "0.03", "FIXGATE_OBJECTIVE_MS": "10"}
"""A call takes three times as long as anybody may wait: one of a burst is answered, the rest are refused."""

SIDES = {
    "bare": "bare handler",
    "hit": "fix in memory",
    "miss": "fix computed, no cache",
    "refused": "refused, no cache",
}


CONTRACT = model.parse(TENSOR_CONTRACT)
SERVED = ServedVersion(
    version=1,
    digest="d" * 64,
    contract=CONTRACT,
    sigma_scale=1.0,
    max_batch_size=32,
    inputs=(TensorSpec(INPUT, "FP32", SHAPE),),
    outputs=(TensorSpec(POSITIONS, "FP32", (2,)), TensorSpec(UNCERTAINTIES, "FP32", (2,))),
    served_since=0.0,
    created_at=0.0,
)


class Memory(asyncio.Transport):
    """A connection that ends in this process; `answered` is told of each answer."""

    def __init__(self) -> None:
        super().__init__({"peername": (LOOPBACK, 1), "sockname": (LOOPBACK, 2)})
        self.answered: Callable[[], None] = lambda: None

    def write(self, data: Any) -> None:  # noqa: ARG002
        """An answer came: each is written at once."""
        self.answered()

    def is_closing(self) -> bool:
        """Never."""
        return False


async def at_once(_self: object, _lane: Lane, rows: Sequence[Float]) -> RawOutputs:
    """Another fix for each row, or not quite at once."""
    await asyncio.sleep(float(os.environ.get(TAKES_S, "0")))
    draw = np.random.default_rng()
    positions = draw.uniform((44, 8), (46, 10), (len(rows), 2)).astype(np.float32)
    return RawOutputs(positions, draw.uniform(0.001, 0.01, (len(rows), 2)).astype(np.float32))


async def serve(side: str, rounds: int) -> None:
    """Measure one side in this process, and print its figures."""
    runner = bare() if side == "bare" else make_runner(from_env())
    await runner.setup()
    while side != "bare" and not known(runner):  # noqa: ASYNC110 a program that waits for its start
        await asyncio.sleep(0.05)
    burst = bursts(runner, side)
    for _ in range(20):
        await burst()
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        await burst()
        times.append((time.thread_time() - began) / CONNECTIONS * 1e6)
    with cProfile.Profile() as profile:
        for _ in range(20):
            await burst()
    calls = pstats.Stats(profile).total_calls / 20 / CONNECTIONS  # type: ignore[attr-defined]
    print(min(times), statistics.median(times), calls)
    sys.stdout.flush()
    os._exit(0)  # nothing here has an end of its own


def bare() -> web.AppRunner:
    """Reads a body, answers with as many bytes as we do."""

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=b'"' + b"x" * 630 + b'"', content_type="application/json")

    app = web.Application()
    app.router.add_post("/predict", handle)
    return web.AppRunner(app, access_log=None)


def known(runner: web.AppRunner) -> bool:
    """Whether the catalogue has come."""
    from gateway.keys import SERVICES  # noqa: PLC0415 the bare side has none

    return runner.app[SERVICES].feed.current is not None


def bursts(runner: web.AppRunner, side: str) -> Callable[[], Any]:
    """One request on every connection at once, until all are answered."""
    server = runner.server
    assert server is not None
    connections = []
    for _ in range(CONNECTIONS):
        protocol, transport = server(), Memory()
        protocol.connection_made(transport)
        connections.append((protocol, transport))
    path = PATH + ("&cache_enabled=false" if side in {"miss", "refused"} else "")
    head = f"POST {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nContent-Type: application/octet-stream\r\n"
    draw = np.random.default_rng(1)
    requests = [
        f"{head}Content-Length: {len(one)}\r\n\r\n".encode() + one
        for one in (draw.standard_normal(SHAPE).astype("<f4").tobytes() for _ in range(BODIES))
    ]
    sent = 0

    async def burst() -> None:
        nonlocal sent
        left, done = CONNECTIONS, asyncio.get_running_loop().create_future()

        def answered() -> None:
            nonlocal left
            left -= 1
            if not left:
                done.set_result(None)

        for protocol, transport in connections:
            transport.answered = answered
            protocol.data_received(bytes(requests[0 if side == "hit" else sent % BODIES]))
            sent += 1
        await done

    return burst


def publish(redis_url: str) -> None:
    """The catalogue that names the model."""
    served = ServedModel(name=NAME, versions=(SERVED,), aliases={"champion": 1}, routing=None)
    catalog = Catalog(
        schema=f"{catalogs.MAJOR}.{catalogs.MINOR}",
        revision=1,
        written_at=0.0,
        models={NAME: served},
        default_model=NAME,
    )
    with redis.Redis.from_url(redis_url) as client:
        client.set(keys.CATALOG, catalogs.dump(catalog))


def main() -> None:
    """Measure every side in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--side", choices=sorted(SIDES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        endpoints.Triton.infer = at_once  # type: ignore[method-assign]
        uvloop.run(serve(given.side, given.rounds))
        return
    print("# Inside the gateway\n")
    print(f"{machine.describe()}; load average before {machine.load():.1f}. {given.rounds} rounds of")
    print(f"{CONNECTIONS} requests each.\n")
    print("| | µs, fastest round | µs, median round | calls in Python | ÷ bare, fastest |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, launch.redis_server(Path(folder)) as redis_url:
        publish(redis_url)
        environment = {
            **os.environ,
            "FIXGATE_REDIS_URL": redis_url,
            "FIXGATE_HOME": folder,
            "FIXGATE_LOG_LEVEL": "error",
            "FIXGATE_DEFAULT_MODEL": NAME,
        }
        least = 0.0
        for side, title in SIDES.items():
            command = [sys.executable, "-m", "benchmarks.inside", "--side", side, f"--rounds={given.rounds}"]
            options = environment | (OVERLOADED if side == "refused" else {})
            told = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=options, text=True)
            fastest, median, calls = map(float, told.stdout.split())
            least = least or fastest
            print(f"| {title} | {fastest:.0f} | {median:.0f} | {calls:.0f} | {fastest / least:.1f} |")


if __name__ == "__main__":
    main()
