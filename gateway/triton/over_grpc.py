"""Triton over gRPC: one channel, calls as bytes, and what it knows of shared memory.

A call's message is made once for each lane, number of rows and region, and then used again. Rows that go in
the body are joined behind it: they are copied once, where building the message would copy them three times.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from tritonclient.grpc import service_pb2, service_pb2_grpc

from gateway.domain import Float, Lane
from gateway.errors import BadAnswer
from gateway.telemetry.traceparent import CURRENT
from gateway.triton.call import Failure, Tensor, named, output_names, row_bytes
from gateway.triton.shared_registry import Away, Refused

_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # gRPC would wait up to two minutes before it tries a restarted Triton again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # The channel tells whether Triton is there also when there are no calls.
    ("grpc.client_idle_timeout_ms", 2**31 - 1),
    # A connection whose other end is gone without a word is noticed, and what waits there fails.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # the one above is for what answers slowly; without this, a minute
)
_MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"
_RAW_INPUT_CONTENTS = bytes([7 << 3 | 2])
"""Tag of ModelInferRequest.raw_input_contents, length-delimited; protobuf takes fields in any order."""

ASK_S = 5.0
_SINCE = (2, 50)
"""Triton 24.09. One before it unmaps a region under the very call that reads it, and dies."""

_DISTANCE = {grpc.ChannelConnectivity.READY: 0, grpc.ChannelConnectivity.TRANSIENT_FAILURE: 2}


class Channel:
    """One long-lived channel to one Triton. Made inside the running event loop."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._model_infer = self._channel.unary_unary(_MODEL_INFER)

    @property
    def distance(self) -> int:
        """How far from a connection; 0 = there is one."""
        return _DISTANCE.get(self._channel.get_state(), 1)

    async def turned(self, connected: bool) -> bool:
        """Keep connecting; return when there is a connection and there was none, or the other way round."""
        while True:
            state = self._channel.get_state(try_to_connect=True)
            if (state is grpc.ChannelConnectivity.READY) is not connected:
                return not connected
            await self._channel.wait_for_state_change(state)

    async def version_ready(self, model: str, version: int, timeout_s: float) -> bool | None:
        """Whether it has that version ready; None when it does not say."""
        request = service_pb2.ModelReadyRequest(name=model, version=str(version))
        try:
            return bool((await self._stub.ModelReady(request, timeout=timeout_s)).ready)
        except grpc.aio.AioRpcError:
            return None

    async def live(self, timeout_s: float) -> bool:
        """Whether it is up."""
        try:
            return bool(
                (await self._stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=timeout_s)).live
            )
        except grpc.aio.AioRpcError:
            return False

    async def with_rows(self, lane: Lane, rows: Sequence[Float]) -> list[Tensor]:
        """See `triton_call.Carrier`."""
        buffers = (np.ascontiguousarray(row, "<f4").data for row in rows)
        return await self._infer(lane, b"".join((_head(lane, len(rows)), *buffers)))

    async def in_region(self, lane: Lane, rows: int, region: str) -> list[Tensor]:
        """See `triton_call.Carrier`."""
        return await self._infer(lane, _in_region(lane, rows, region))

    async def close(self) -> None:
        """Close it; calls under way are cancelled."""
        await self._channel.close()

    async def _infer(self, lane: Lane, message: bytes) -> list[Tensor]:
        traceparent = CURRENT.get()
        metadata = (("traceparent", traceparent),) if traceparent else None
        try:
            return _tensors(lane, await self._model_infer(message, metadata=metadata))
        except grpc.aio.AioRpcError as error:
            raise Failure(error.code().name, error.details() or "") from error

    async def supported(self) -> bool:
        """See `shared_registry.Registry`, as for what follows."""
        metadata = await self._ask("ServerMetadata", service_pb2.ServerMetadataRequest())
        version = tuple(int(part) for part in metadata.version.split(".")[:2] if part.isdecimal())
        return "system_shared_memory" in metadata.extensions and version >= _SINCE

    async def register(self, name: str, size: int) -> None:
        """Map a segment."""
        request = service_pb2.SystemSharedMemoryRegisterRequest(name=name, key=f"/{name}", byte_size=size)
        await self._ask("SystemSharedMemoryRegister", request)

    async def unregister(self, name: str) -> None:
        """Unmap it."""
        request = service_pb2.SystemSharedMemoryUnregisterRequest(name=name)
        await self._ask("SystemSharedMemoryUnregister", request)

    async def registered(self) -> set[str]:
        """Every region's name."""
        request = service_pb2.SystemSharedMemoryStatusRequest()
        return set((await self._ask("SystemSharedMemoryStatus", request)).regions)

    async def _ask(self, method: str, request: Any) -> Any:
        try:
            return await getattr(self._stub, method)(request, timeout=ASK_S)
        except grpc.aio.AioRpcError as error:
            away = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            raise (Away if away else Refused)(error.details()) from error


@lru_cache(maxsize=4096)
def _in_region(lane: Lane, rows: int, region: str) -> bytes:
    request = _request(lane, rows)
    parameters = request.inputs[0].parameters
    parameters["shared_memory_region"].string_param = region
    parameters["shared_memory_byte_size"].int64_param = rows * row_bytes(lane)
    return bytes(request.SerializeToString())


@lru_cache(maxsize=4096)
def _head(lane: Lane, rows: int) -> bytes:
    size = rows * row_bytes(lane)
    return bytes(_request(lane, rows).SerializeToString()) + _RAW_INPUT_CONTENTS + _varint(size)


def _request(lane: Lane, rows: int) -> Any:
    request = service_pb2.ModelInferRequest(model_name=lane.model, model_version=str(lane.version))
    request.inputs.add(name=lane.tensor, datatype="FP32", shape=(rows, *lane.shape))
    for name in output_names(lane):
        request.outputs.add(name=name)
    return request


def _varint(number: int) -> bytes:
    """Base 128, least significant group first (protobuf.dev/programming-guides/encoding)."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _tensors(lane: Lane, answer: bytes) -> list[Tensor]:
    try:
        response = service_pb2.ModelInferResponse.FromString(answer)
    except DecodeError:
        raise BadAnswer(f"{named(lane)}: Triton answered with something else than a message") from None
    raw = response.raw_output_contents
    if len(raw) != len(response.outputs):
        raise BadAnswer(f"{named(lane)}: {len(raw)} buffers for {len(response.outputs)} outputs")
    return [
        Tensor(one.name, one.datatype, tuple(one.shape), content)
        for one, content in zip(response.outputs, raw, strict=True)
    ]
