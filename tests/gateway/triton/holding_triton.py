"""A gRPC server in Triton's place, for what the real one cannot be told to do: hold calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc


class HoldingTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Every version is ready; calls are held until `release` is set, then echoed (see `stand.echo_model`).

    Args:
        free: versions whose calls are not held.

    Calls of versions in `broken` fail at once; when it is `lost`, held ones fail as if it were away.
    `traceparents` has one entry for each call: what it was told of its trace, or "".
    """

    def __init__(self, *free: int) -> None:
        self._free = set(map(str, free))
        self.broken: set[int] = set()
        self.lost = False
        self.traceparents: list[str] = []
        self.release = asyncio.Event()
        self.held = 0
        self.cancelled = 0
        self.rows: list[int] = []
        self.address = ""

    async def ServerLive(  # noqa: N802
        self, _: service_pb2.ServerLiveRequest, __: grpc.aio.ServicerContext
    ) -> service_pb2.ServerLiveResponse:
        return service_pb2.ServerLiveResponse(live=True)

    async def ModelReady(  # noqa: N802
        self, _: service_pb2.ModelReadyRequest, __: grpc.aio.ServicerContext
    ) -> service_pb2.ModelReadyResponse:
        return service_pb2.ModelReadyResponse(ready=True)

    async def ModelInfer(  # noqa: N802
        self, request: service_pb2.ModelInferRequest, context: grpc.aio.ServicerContext
    ) -> service_pb2.ModelInferResponse:
        self.traceparents.append(dict(context.invocation_metadata()).get("traceparent", ""))
        if int(request.model_version) in self.broken:
            await context.abort(grpc.StatusCode.INTERNAL, "broken")
        rows = np.frombuffer(request.raw_input_contents[0], np.float32).reshape(-1, 5)
        self.rows.append(len(rows))
        self.held += 1
        try:
            if request.model_version not in self._free:
                await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.held -= 1
        if self.lost:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
        answer = service_pb2.ModelInferResponse()
        for name, values in (("positions", rows[:, :2]), ("uncertainties", rows[:, 2:])):
            answer.outputs.add(name=name, datatype="FP32", shape=values.shape)
            answer.raw_output_contents.append(values.tobytes())
        return answer


@asynccontextmanager
async def holding_triton(*free: int) -> AsyncIterator[HoldingTriton]:
    """The server, listening; the calls of versions that are `free` are not held."""
    servicer, server = HoldingTriton(*free), grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield servicer
    finally:
        await server.stop(None)
