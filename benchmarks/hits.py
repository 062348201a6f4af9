"""What an answer from the cache costs: the gateway with every default feature on, against a bare handler.

    python -m benchmarks.hits [--rounds 5] [--seconds 5] > benchmarks/results/hits.md

Bodies are a float32 input tensor of (3, 128, 32), 49 KB; wrk keeps 100 connections busy. The bare handler is
aiohttp on uvloop too: it reads the same body and answers with as many bytes of JSON. "Memory" is one body
sent again and again; "Redis" is a fresh process and, in each request, a body that it has never seen and whose
fix another process has put into Redis. Each round runs all of them, in turn; ratios are within a
round. Processor time is the server process's own: other work on the machine disturbs it less than the rate.
"""

import argparse
import asyncio
import contextlib
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import redis
import uvloop
from aiohttp import web

from contract import catalog as catalogs
from contract import keys, model
from contract.catalog import Catalog, ServedModel, ServedVersion, TensorSpec
from gateway.cache.fixes import KeyMaker, dump_fix
from gateway.cache.shared import redis_key
from gateway.domain import Covariance, Fix
from stack.part import LOOPBACK, Part, http_ok
from tests import launch

NAME, SHAPE, CONNECTIONS = "hits", (3, 128, 32), 100
PATH = "/predict?dtype=f32_le"
SEEDED = 150_000
"""Bodies whose fixes lie in Redis: more than a round asks for."""

CONTRACT = model.parse(
    {
        "schema": 1,
        "input": {"tensor": "x", "kind": "tensor"},
        "output": {
            "position": {"tensor": "positions", "order": ["latitude", "longitude"]},
            "uncertainty": {
                "tensor": "uncertainties",
                "kind": "sigma",
                "units": "metres",
                "order": ["north", "east"],
            },
        },
    }
)
SERVED = ServedVersion(
    version=1,
    digest="d" * 64,
    contract=CONTRACT,
    sigma_scale=1.0,
    max_batch_size=32,
    inputs=(TensorSpec("x", "FP32", SHAPE),),
    outputs=(TensorSpec("positions", "FP32", (2,)), TensorSpec("uncertainties", "FP32", (2,))),
    served_since=0.0,
    created_at=0.0,
)
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
    """One wrk run: requests a second, the server's processor time for each, the 99 % latency."""

    rate: float
    cpu_us: float
    p99_ms: float


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
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, launch.redis_server(Path(folder)) as redis_url:
        seed(redis_url)
        rounds = [measure(Path(folder), redis_url, given.seconds) for _ in range(given.rounds)]
    report(rounds, given.seconds, load)


async def bare(port: int, size: int) -> None:
    """Reads a body, answers with `size` bytes of JSON."""
    answer = b'"' + b"x" * (size - 2) + b'"'

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_post("/predict", handle)
    app.router.add_get("/ready", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    await asyncio.Event().wait()


def seed(redis_url: str) -> None:
    """The catalogue, and the fixes that another process would have found."""
    served = ServedModel(name=NAME, versions=(SERVED,), aliases={"champion": 1}, routing=None)
    catalog = Catalog(
        schema=f"{catalogs.MAJOR}.{catalogs.MINOR}",
        revision=1,
        written_at=0.0,
        models={NAME: served},
        default_model=NAME,
    )
    maker, draw = KeyMaker(SERVED.digest, CONTRACT.digest), np.random.default_rng(2)
    tensor = np.frombuffer(body(), "<f4").reshape(SHAPE).copy()
    with redis.Redis.from_url(redis_url) as client:
        client.set(keys.CATALOG, catalogs.dump(catalog))
        with client.pipeline(transaction=False) as pipeline:
            for number in range(SEEDED):
                tensor.reshape(-1).view("<u4")[0] = 63 << 24 | number
                latitude, longitude, east, north = draw.uniform(
                    (44, 8, 1e4, 1e4), (46, 10, 1e6, 1e6)
                ).tolist()
                fix = Fix(latitude, longitude, Covariance(east, north, 0.3 * (east * north) ** 0.5))
                pipeline.set(redis_key(NAME, maker.key(tensor)), dump_fix(fix), ex=86_400)
                if number % 1000 == 999:
                    pipeline.execute()


def body() -> bytes:
    """A tensor."""
    return np.random.default_rng(1).standard_normal(SHAPE).astype("<f4").tobytes()


def measure(home: Path, redis_url: str, seconds: int) -> dict[str, Run]:
    """One round."""
    (home / "body").write_bytes(body())
    with gateway(home, redis_url) as (url, pid):
        size = answer_size(url)
        wrk(home, url, pid, 1, first=0, step=0)
        memory = wrk(home, url, pid, seconds, first=0, step=0)
        check(url, "hit")
    with bare_server(home, size) as (url, pid):
        wrk(home, url, pid, 1, first=0, step=0)
        first = wrk(home, url, pid, seconds, first=0, step=0)
    with gateway(home, redis_url) as (url, pid):
        wrk(home, url, pid, 1, first=1, step=1)
        shared = wrk(home, url, pid, seconds, first=SEEDED // 3, step=1)
        check(url, "hit")
    with bare_server(home, size) as (url, pid):
        wrk(home, url, pid, 1, first=0, step=0)
        second = wrk(home, url, pid, seconds, first=SEEDED // 3, step=1)
    return {"memory": memory, "bare, one body": first, "Redis": shared, "bare, new bodies": second}


@contextlib.contextmanager
def gateway(home: Path, redis_url: str) -> Iterator[tuple[str, int]]:
    """A gateway with its default options; its URL and process."""

    def part(ports: list[int]) -> Part:
        return Part(
            name="gateway",
            command=(sys.executable, "-m", "gateway"),
            folder=Path.cwd(),
            address=f"http://{LOOPBACK}:{ports[0]}",
            ready=lambda: http_ok(ports[0], "/model/info"),
            environment={
                "FIXGATE_HOME": str(home),
                "FIXGATE_PORT": str(ports[0]),
                "FIXGATE_REDIS_URL": redis_url,
                "FIXGATE_TRITON_GRPC": f"{LOOPBACK}:{ports[1]}",
            },
        )

    with launch.running(home, part) as (running, ports):
        yield running.address, listener(ports[0])


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
        yield running.address, listener(ports[0])


def listener(port: int) -> int:
    """The process that has the port in its command line or environment, a child of ours."""
    needle = re.compile(rb"(^|[\0=])%d\0" % port)
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and f"\nPPid:\t{os.getpid()}\n" in (entry / "status").read_text():
                told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                if needle.search(told):
                    return int(entry.name)
    raise LookupError(port)


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
    before = cpu_s(pid)
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
    used = cpu_s(pid) - before
    assert "Non-2xx" not in told, told
    assert "Socket errors" not in told, told
    requests = int(re.search(r"(\d+) requests in", told)[1])  # type: ignore[index]
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", told).groups()  # type: ignore[union-attr]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])  # type: ignore[index]
    return Run(rate, used / requests * 1e6, float(number) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit])


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def check(url: str, outcome: str) -> None:
    """Every prediction so far came from there."""
    with urllib.request.urlopen(url + "/metrics") as answer:  # noqa: S310 our own
        lines = answer.read().decode().splitlines()
    counted = {line.split(" ")[0]: line for line in lines if line.startswith("fixgate_predictions_total")}
    assert all(f'cache="{outcome}"' in name for name in counted), counted


def report(rounds: list[dict[str, Run]], seconds: int, load: float) -> None:
    """The table and the ratios."""
    print("# Answers from the cache\n")
    print(f"{machine(load)}. {len(rounds)} rounds of {seconds} s each, no failed request.\n")
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


def machine(load: float) -> str:
    """What the figures depend on."""
    cpu = next(
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    )
    libraries = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "uvloop", "redis"))
    cores = f"{os.cpu_count()} cores (load average before {load:.1f})"
    return f"{cpu.partition(':')[2].strip()}, {cores}; Python {platform.python_version()}, {libraries}"


if __name__ == "__main__":
    main()
