"""What a call to Triton costs the gateway: over gRPC or HTTP, with rows in the call or in shared memory.

    python -m benchmarks.forwarding [--rounds 5] [--seconds 3] > benchmarks/results/forwarding.md

A real Triton with the small model; the gateway's own coalescer and client in one process, on uvloop, no HTTP
server and no cache before them. "100 at once" is a closed loop of 100 callers with a row each, coalesced into
calls of up to 32 rows, two of them in flight; "one by one" is a single caller. "gRPC stub" is what the client
replaced: tritonclient's generated stub, a message object for each call. "HTTP" is the gateway's default where
it knows the address: calls that carry more than 512 KB go over gRPC even then. All sides take turns in every
round and ratios are within a round. Processor time is this process's own, so that other work on the machine
disturbs it less than it does the rate.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import uvloop
from tritonclient.grpc import service_pb2, service_pb2_grpc

from benchmarks import machine
from benchmarks.rounds import Side, alternate, ratios, spread
from benchmarks.service import CACHE
from benchmarks.workloads.graph import INPUT
from benchmarks.workloads.models import SMALL
from contract.model import parse
from gateway.coalesce import Coalescer
from gateway.domain import Float, Lane
from gateway.triton.endpoint import SharedMemory
from gateway.triton.endpoints import Triton
from tests import launch
from tests.gateway.stand import version_ready
from tests.gateway.waiting import until

CALLERS, MOST_ROWS, IN_FLIGHT = 100, 32, 2
SHAPE = (3, 128, 32)
LANE = Lane(SMALL.name, 1, INPUT, SHAPE, parse(SMALL.contract).output)
STUB = "gRPC stub, rows in the call"
CONFIG = f"""
name: "{SMALL.name}"
backend: "onnxruntime"
max_batch_size: {MOST_ROWS}
input {{ name: "{INPUT}" data_type: TYPE_FP32 dims: {list(SHAPE)} }}
output {{ name: "{LANE.output.position.tensor}" data_type: TYPE_FP32 dims: [2] }}
output {{ name: "{LANE.output.uncertainty.tensor}" data_type: TYPE_FP32 dims: [2] }}
dynamic_batching {{ }}
version_policy {{ specific {{ versions: [1] }} }}
parameters {{ key: "intra_op_thread_count" value {{ string_value: "1" }} }}
"""

Infer = Callable[[Lane, Sequence[Float]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Run:
    """One side's turn: rows a second and processor time a row with many callers; p50 of a lone call."""

    rate: float
    cpu_us: float
    rows_a_call: float
    lone_ms: float
    lone_cpu_us: float


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    load = machine.load()
    with (
        tempfile.TemporaryDirectory(prefix="fixgate-bench-") as folder,
        launch.triton_server(Path(folder)) as triton,
    ):
        publish(triton)
        taken = alternate(sides(triton, given.seconds), given.rounds, told)
    report(taken, given.rounds, given.seconds, load)


def publish(triton: launch.Triton) -> None:
    """Have Triton serve the small model."""
    staged = triton.staging / SMALL.name
    (staged / "1").mkdir(parents=True)
    (staged / "1" / "model.onnx").write_bytes(SMALL.file(CACHE / "models").read_bytes())
    (staged / "config.pbtxt").write_text(CONFIG)
    staged.rename(triton.repository / SMALL.name)
    while not version_ready(triton, SMALL.name, 1):
        time.sleep(0.1)


def sides(triton: launch.Triton, seconds: float) -> list[Side[Run]]:
    """What is compared."""

    def through(http: tuple[str, ...], shared_memory: SharedMemory) -> Run:
        return uvloop.run(client(triton.grpc, http, shared_memory, seconds))

    return [
        Side(STUB, lambda: uvloop.run(stub(triton.grpc, seconds))),
        Side("gRPC, rows in the call", lambda: through((), "off")),
        Side("gRPC, shared memory", lambda: through((), "on")),
        Side("HTTP, rows in the call", lambda: through((triton.http,), "off")),
        Side("HTTP, shared memory", lambda: through((triton.http,), "on")),
    ]


async def client(grpc: str, http: tuple[str, ...], shared_memory: SharedMemory, seconds: float) -> Run:
    """The gateway's client."""
    triton = Triton([grpc], http=http, shared_memory=shared_memory)
    await until(lambda: triton.status()[0].connected)
    if shared_memory == "on":
        await until(lambda: triton.status()[0].shared_memory)
    try:
        return await measured(triton.infer, seconds)
    finally:
        await triton.close()


async def stub(address: str, seconds: float) -> Run:
    """Message objects and the generated stub."""
    channel = grpc.aio.insecure_channel(address, options=[("grpc.max_send_message_length", -1)])
    made = service_pb2_grpc.GRPCInferenceServiceStub(channel)

    async def infer(lane: Lane, rows: Sequence[Float]) -> Any:
        request = service_pb2.ModelInferRequest(model_name=lane.model, model_version=str(lane.version))
        request.inputs.add(name=lane.tensor, datatype="FP32", shape=(len(rows), *lane.shape))
        for output in (lane.output.position, lane.output.uncertainty):
            request.outputs.add(name=output.tensor)
        request.raw_input_contents.append(b"".join(row.data for row in rows))
        return await made.ModelInfer(request)

    try:
        return await measured(infer, seconds)
    finally:
        await channel.close()


async def measured(infer: Infer, seconds: float) -> Run:
    """Warm up, then many callers, then one."""
    rng = np.random.default_rng(1)
    rows = [rng.normal(size=SHAPE).astype(np.float32) for _ in range(CALLERS)]
    await crowd(infer, rows, 0.3)
    rate, cpu_us, rows_a_call = await crowd(infer, rows, seconds)
    waits: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds / 2:
        asked = time.perf_counter()
        await infer(LANE, rows[:1])
        waits.append(time.perf_counter() - asked)
    lone_cpu_us = (time.process_time() - cpu) / len(waits) * 1e6
    return Run(rate, cpu_us, rows_a_call, statistics.median(waits) * 1e3, lone_cpu_us)


async def crowd(infer: Infer, rows: list[Float], seconds: float) -> tuple[float, float, float]:
    """A closed loop of callers: rows a second, processor time a row, rows a call."""
    calls = done = 0

    async def send(lane: Lane, items: Sequence[Float]) -> Sequence[None]:
        nonlocal calls
        calls += 1
        await infer(lane, items)
        return [None] * len(items)

    coalescer = Coalescer[Lane, Float, None](send, in_flight=IN_FLIGHT)
    began, cpu = time.perf_counter(), time.process_time()

    async def caller(row: Float) -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            await coalescer.one(LANE, row, limit=MOST_ROWS)
            done += 1

    await asyncio.gather(*map(caller, rows))
    return (
        done / (time.perf_counter() - began),
        (time.process_time() - cpu) / done * 1e6,
        done / calls,
    )


def told(name: str, run: Run) -> None:
    """Say what goes on."""
    print(f"  {name}: {run.rate:,.0f} rows/s, alone {run.lone_ms:.2f} ms", file=sys.stderr)


def report(taken: dict[str, list[Run]], rounds: int, seconds: float, load: float) -> None:
    """The table and the ratios."""
    print("# Calls to Triton\n")
    print(f"{machine.describe()}; load average before {load:.1f}. {rounds} rounds of {seconds:g} s each.\n")
    print(
        "| | rows/s, 100 at once | ÷ gRPC stub | µs of processor time a row | rows a call "
        "| p50 ms, one by one | µs of processor time |\n|---|---|---|---|---|---|---|"
    )
    base = [run.rate for run in taken[STUB]]
    for name, runs in taken.items():
        columns = (
            [run.rate for run in runs],
            ratios([run.rate for run in runs], base),
            [run.cpu_us for run in runs],
            [run.rows_a_call for run in runs],
            [run.lone_ms for run in runs],
            [run.lone_cpu_us for run in runs],
        )
        print(f"| {name} | " + " | ".join(spread(column) for column in columns) + " |")


if __name__ == "__main__":
    main()
