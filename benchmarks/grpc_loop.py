"""Closed loop over gRPC, which wrk does not speak.

    python -m benchmarks.grpc_loop ADDRESS MODEL CLIENTS SECONDS

Triton's generated stub on one channel, requests made beforehand; prints the figures as JSON. The client is
Python, so it takes more of the machine than wrk does.
"""

import asyncio
import sys
import time

import grpc
import msgspec
import numpy as np
import uvloop
from tritonclient.grpc import service_pb2, service_pb2_grpc

from benchmarks.bodies import tensor
from benchmarks.workloads.graph import INPUT, POSITIONS, ROW, UNCERTAINTIES
from benchmarks.wrk import Measured

DIFFERENT = 256


def main() -> None:
    """Measure and print."""
    address, model, clients, seconds = sys.argv[1:]
    measured = uvloop.run(run(address, model, int(clients), float(seconds)))
    sys.stdout.write(msgspec.json.encode(measured).decode())


async def run(address: str, model: str, clients: int, seconds: float) -> Measured:
    """Keep that many calls of one row under way."""
    requests = [_request(model, number) for number in range(DIFFERENT)]
    took: list[float] = []
    failed = 0
    async with grpc.aio.insecure_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        start = time.perf_counter()

        async def client(first: int) -> None:
            nonlocal failed
            number = first
            while (begun := time.perf_counter()) - start < seconds:
                try:
                    await stub.ModelInfer(requests[number % DIFFERENT])
                except grpc.aio.AioRpcError:
                    failed += 1
                took.append((time.perf_counter() - begun) * 1e3)
                number += clients

        await asyncio.gather(*(client(number) for number in range(clients)))
        ended = time.perf_counter()
    p50, p95, p99 = np.percentile(took, (50, 95, 99)).tolist()
    return Measured(len(took), ended - start, failed, p50, p95, p99)


def _request(model: str, number: int) -> "service_pb2.ModelInferRequest":
    request = service_pb2.ModelInferRequest(model_name=model, model_version="1")
    request.inputs.add(name=INPUT, datatype="FP32", shape=(1, *ROW))
    for name in (POSITIONS, UNCERTAINTIES):
        request.outputs.add(name=name)
    request.raw_input_contents.append(tensor(number).tobytes())
    return request


if __name__ == "__main__":
    main()
