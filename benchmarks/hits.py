"""What an answer from the cache costs: the gateway with every default feature on, against a bare handler.

    python -m benchmarks.hits [--rounds 5] [--seconds 5] > benchmarks/results/hits.md

Bodies are a float32 input tensor of (3, 128, 32), 49 KB; wrk keeps 100 connections busy. The bare handler is
aiohttp on uvloop too: it reads the same body and answers with as many bytes of JSON. "Memory" is one body
sent again and again; "Redis" is a fresh process and, in each request, a body that it has never seen and whose
fix another process has put into Redis. A fix that Redis gives too late is computed by Triton, which has the
small model of the other sections: the hit rate tells how many were not. Each round runs all of them, in turn;
ratios are within a round. Processor time is the server process's own: other work on the machine disturbs it
less than the rate.
"""

import argparse
import asyncio
import contextlib
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import redis
import uvloop
from aiohttp import web

from benchmarks import machine, processes, scrape
from benchmarks.service import Gateway, Service, leave_nothing_behind, service
from benchmarks.workloads.models import SMALL
from contract import catalog as catalogs
from contract import keys
from gateway.cache.fixes import KeyMaker, dump_fix
from gateway.cache.shared import redis_key
from gateway.domain import Covariance, Fix
from stack.part import LOOPBACK, Part, http_ok
from tests import launch

SHAPE, CONNECTIONS = (3, 128, 32), 100
PATH = f"/models/{SMALL.name}/predict?dtype=f32_le"
SEEDED = 150_000
"""Bodies whose fixes lie in Redis: more than a round asks for."""

ONE_WORKER = {"FIXGATE_WORKERS": "1"}
HITS = 0.99
"""Fewer than this part of the predictions from the cache: the figure is about something else."""

# The number of the body stands in the mantissa of its first value, so that each is a finite tensor.
SCRIPT = """
local number, tail, step = {first} - {step}, nil, {step}
local file = io.open("{body}", "rb")
tail = file:read("*a"):sub(5)
file:close()
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/octet-stream"
local head = wrk.headers
request = function()
  number = number + step
  local high = math.floor(number / 65536) % 128
  local first = string.char(number % 256, math.floor(number / 256) % 256, high, 63)
  return wrk.format(nil, "{path}", head, first .. tail)
end
"""


@dataclass(frozen=True)
class Run:
    """One wrk run: requests a second, the server's processor time for each, the 99 % latency; of a gateway
    also how many fixes it was asked for, warming up included, and how many of them came from the cache."""

    rate: float
    cpu_us: float
    p99_ms: float
    asked: int = 0
    hits: int = 0


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--bare", type=int, nargs=2, metavar=("PORT", "BYTES"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        uvloop.run(bare(*given.bare))
        return
    leave_nothing_behind()
    load = machine.load()
    with tempfile.TemporaryDirectory() as folder, service([SMALL]) as served:
        (Path(folder) / "body").write_bytes(body())
        seed(served.parts.redis_url)
        rounds = [measure(Path(folder), served, given.seconds) for _ in range(given.rounds)]
    report(rounds, given.seconds, load)


async def bare(port: int, size: int) -> None:
    """Reads a body, answers with `size` bytes of JSON."""
    answer = b'"' + b"x" * (size - 2) + b'"'

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    app.router.add_get("/ready", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    await asyncio.Event().wait()


def seed(redis_url: str) -> None:
    """The fixes that another process would have found."""
    draw = np.random.default_rng(2)
    tensor = np.frombuffer(body(), "<f4").reshape(SHAPE).copy()
    with redis.Redis.from_url(redis_url) as client:
        (version,) = catalogs.parse(client.get(keys.CATALOG)).models[SMALL.name].versions
        maker = KeyMaker(version.digest, version.contract.digest)
        with client.pipeline(transaction=False) as pipeline:
            for number in range(SEEDED):
                tensor.reshape(-1).view("<u4")[0] = 63 << 24 | number
                latitude, longitude, east, north = draw.uniform(
                    (44, 8, 1e4, 1e4), (46, 10, 1e6, 1e6)
                ).tolist()
                fix = Fix(latitude, longitude, Covariance(east, north, 0.3 * (east * north) ** 0.5))
                pipeline.set(redis_key(SMALL.name, maker.key(tensor)), dump_fix(fix), ex=86_400)
                if number % 1000 == 999:
                    pipeline.execute()


def body() -> bytes:
    """A tensor."""
    return np.random.default_rng(1).standard_normal(SHAPE).astype("<f4").tobytes()


def measure(home: Path, served: Service, seconds: int) -> dict[str, Run]:
    """One round."""
    with served.gateway(ONE_WORKER) as gateway:
        size = answer_size(gateway.url)
        memory = ours(home, gateway, seconds, first=0, step=0)
    with bare_server(home, size) as (url, pid):
        wrk(home, url, pid, 1, first=0, step=0)
        first = wrk(home, url, pid, seconds, first=0, step=0)
    with served.gateway(ONE_WORKER) as gateway:
        shared = ours(home, gateway, seconds, first=1, step=1)
    with bare_server(home, size) as (url, pid):
        wrk(home, url, pid, 1, first=0, step=0)
        second = wrk(home, url, pid, seconds, first=SEEDED // 3, step=1)
    return {"memory": memory, "bare, one body": first, "Redis": shared, "bare, new bodies": second}


def ours(home: Path, gateway: Gateway, seconds: int, *, first: int, step: int) -> Run:
    """A second to warm up, then a run; it is an error when the cache did not give nearly all answers."""
    (pid,) = processes.of_gateway(gateway.port)
    wrk(home, gateway.url, pid, 1, first=first, step=step)
    run = wrk(home, gateway.url, pid, seconds, first=SEEDED // 3 * step, step=step)
    outcomes = scrape.outcomes(gateway.url)
    assert scrape.hit_rate(outcomes) >= HITS, outcomes
    return replace(run, asked=sum(outcomes.values()), hits=outcomes["hit"])


@contextlib.contextmanager
def bare_server(home: Path, size: int) -> Iterator[tuple[str, int]]:
    """The bare handler; its URL and process."""

    def part(ports: list[int]) -> Part:
        return Part(
            name="bare",
            command=(sys.executable, "-m", "benchmarks.hits", "--bare", str(ports[0]), str(size)),
            folder=Path.cwd(),
            address=f"http://{LOOPBACK}:{ports[0]}",
            ready=lambda: http_ok(ports[0], "/ready"),
        )

    with launch.running(home, part) as (running, ports):
        (pid,) = processes.of_command("--bare", str(ports[0]))
        yield running.address, pid


def answer_size(url: str) -> int:
    """Bytes of one answer."""
    seeded = (63 << 24).to_bytes(4, "little") + body()[4:]
    headers = {"Content-Type": "application/octet-stream"}
    asked = urllib.request.Request(url + PATH, seeded, headers)  # noqa: S310 our own
    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        return len(answer.read())


def wrk(home: Path, url: str, pid: int, seconds: int, *, first: int, step: int) -> Run:
    """One run; it is an error when any answer is not a success."""
    script = home / "wrk.lua"
    script.write_text(SCRIPT.format(first=first, step=step, body=home / "body", path=PATH))
    before = processes.processor_s([pid])
    command = (
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        "--latency",
        "-s",
        str(script),
        url,
    )
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = processes.processor_s([pid]) - before
    assert "Non-2xx" not in told, told
    assert "Socket errors" not in told, told
    requests = int(re.search(r"(\d+) requests in", told)[1])  # type: ignore[index]
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", told).groups()  # type: ignore[union-attr]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])  # type: ignore[index]
    return Run(rate, used / requests * 1e6, float(number) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit])


def report(rounds: list[dict[str, Run]], seconds: int, load: float) -> None:
    """The table and the ratios."""
    print("# Answers from the cache\n")
    told = f"{machine.describe()}, redis {version('redis')}; load average before {load:.1f}"
    runs = [run for one in rounds for run in one.values()]
    asked, hits = sum(run.asked for run in runs), sum(run.hits for run in runs)
    print(f"{told}. {len(rounds)} rounds of {seconds} s each, no failed request;")
    print(f"{asked - hits:,} of the gateway's {asked:,} fixes did not come from the cache.\n")
    print("| | requests/s | µs of processor time a request | p99 ms |\n|---|---|---|---|")
    for name in rounds[0]:
        runs = [one[name] for one in rounds]
        columns = ([run.rate for run in runs], [run.cpu_us for run in runs], [run.p99_ms for run in runs])
        print(f"| {name} | " + " | ".join(spread(column) for column in columns) + " |")
    print("\n| gateway ÷ bare handler | rate | processor time | bar | reach for |\n|---|---|---|---|---|")
    for ours, theirs, bar, reach in (
        ("memory", "bare, one body", 0.4, 0.6),
        ("Redis", "bare, new bodies", 0.2, 0.3),
    ):
        rate = spread([one[ours].rate / one[theirs].rate for one in rounds])
        cpu = spread([one[theirs].cpu_us / one[ours].cpu_us for one in rounds])
        print(f"| {ours} | {rate} | {cpu} | {bar} | {reach} |")


def spread(values: list[float]) -> str:
    """Median and range."""
    digits = ",.0f" if max(values) >= 100 else ".3f" if max(values) < 10 else ".1f"
    return f"{statistics.median(values):{digits}} ({min(values):{digits}}-{max(values):{digits}})"


if __name__ == "__main__":
    main()
