"""A gRPC server in Triton's place that maps shared memory, and reads it as late as a test wants."""

import asyncio
import mmap
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2, service_pb2_grpc

from gateway.triton.shared_memory import FOLDER


class SharingTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Echoes rows of five (see `stand.echo_model`); a call waits for `gate` and only then looks at its rows.

    fails: what calls to a version are answered with instead. sees: whether it has the caller's /dev/shm.
    """

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.regions: dict[str, mmap.mmap] = {}
        self.readers: dict[str, int] = {}
        self.read_from: list[str] = []
        self.fails: dict[str, grpc.StatusCode] = {}
        self.asked: list[str] = []
        self.version = "2.51.0"
        self.sees = True
        self.takes_anything = False
        self.held = 0
        self.address = ""

    async def ServerMetadata(  # noqa: N802
        self, _: service_pb2.ServerMetadataRequest, __: grpc.aio.ServicerContext
    ) -> service_pb2.ServerMetadataResponse:
        return service_pb2.ServerMetadataResponse(version=self.version, extensions=["system_shared_memory"])

    async def SystemSharedMemoryRegister(  # noqa: N802
        self, request: service_pb2.SystemSharedMemoryRegisterRequest, context: grpc.aio.ServicerContext
    ) -> service_pb2.SystemSharedMemoryRegisterResponse:
        if request.name in self.regions:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, f"'{request.name}' already in manager")
        if not self.takes_anything:
            folder = FOLDER if self.sees else FOLDER / "of-another-host"
            try:
                file = os.open(folder / request.key.removeprefix("/"), os.O_RDWR)
            except FileNotFoundError:
                await context.abort(grpc.StatusCode.INTERNAL, f"Unable to open: '{request.key}'")
            self.regions[request.name] = mmap.mmap(file, request.byte_size)
            os.close(file)
        return service_pb2.SystemSharedMemoryRegisterResponse()

    async def SystemSharedMemoryUnregister(  # noqa: N802
        self, request: service_pb2.SystemSharedMemoryUnregisterRequest, context: grpc.aio.ServicerContext
    ) -> service_pb2.SystemSharedMemoryUnregisterResponse:
        if self.readers.get(request.name):
            await context.abort(grpc.StatusCode.INTERNAL, f"'{request.name}', it is currently in use.")
        self.regions.pop(request.name, None)
        return service_pb2.SystemSharedMemoryUnregisterResponse()

    async def SystemSharedMemoryStatus(  # noqa: N802
        self, _: service_pb2.SystemSharedMemoryStatusRequest, __: grpc.aio.ServicerContext
    ) -> service_pb2.SystemSharedMemoryStatusResponse:
        answer = service_pb2.SystemSharedMemoryStatusResponse()
        for name in self.regions:
            answer.regions[name].name = name
        return answer

    async def ModelInfer(  # noqa: N802
        self, request: service_pb2.ModelInferRequest, context: grpc.aio.ServicerContext
    ) -> service_pb2.ModelInferResponse:
        version = request.model_version
        self.asked.append(version)
        region = request.inputs[0].parameters["shared_memory_region"].string_param
        if region and region not in self.regions:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"Unable to find shared memory region: '{region}'")
        self.readers[region] = self.readers.get(region, 0) + 1
        self.held += 1
        try:
            await self.gate.wait()
            rows = self._rows(request, region)
        finally:
            self.held -= 1
            self.readers[region] -= 1
        if version in self.fails:
            await context.abort(self.fails[version], "as told")
        answer = service_pb2.ModelInferResponse()
        for name, values in (("positions", rows[:, :2]), ("uncertainties", rows[:, 2:])):
            answer.outputs.add(name=name, datatype="FP32", shape=values.shape)
            answer.raw_output_contents.append(values.tobytes())
        return answer

    def _rows(self, request: Any, region: str) -> NDArray[np.float32]:
        if not region:
            return np.frombuffer(request.raw_input_contents[0], np.float32).reshape(-1, 5)
        self.read_from.append(region)
        size = request.inputs[0].parameters["shared_memory_byte_size"].int64_param
        return np.frombuffer(self.regions[region][:size], np.float32).reshape(-1, 5)


@asynccontextmanager
async def sharing_triton(port: int = 0) -> AsyncIterator[SharingTriton]:
    """The server, listening."""
    servicer, server = SharingTriton(), grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    await server.start()
    try:
        yield servicer
    finally:
        servicer.gate.set()
        await server.stop(None)
