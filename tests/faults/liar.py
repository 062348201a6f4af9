"""A gRPC server in Triton's place that echoes rows (see `stand.echo_model`), or lies as it is told."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

Rows = NDArray[np.float32]
Lie = Callable[[Rows], bytes]
SERVICE = "inference.GRPCInferenceService"


def answer(positions: NDArray[Any], uncertainties: NDArray[Any], **changed: Any) -> bytes:
    """An answer with these outputs; `changed`: what it says of the positions instead."""
    message = service_pb2.ModelInferResponse()
    for name, values in (("positions", positions), ("uncertainties", uncertainties)):
        message.outputs.add(name=name, datatype="FP32", shape=values.shape)
        message.raw_output_contents.append(values.astype("<f4").tobytes())
    for what, value in changed.items():
        setattr(message.outputs[0], what, value)
    return bytes(message.SerializeToString())


def honest(rows: Rows) -> bytes:
    """What the model says."""
    return answer(rows[:, :2], rows[:, 2:])


def _filled(value: float) -> Lie:
    return lambda rows: answer(np.full_like(rows[:, :2], value), rows[:, 2:])


def _without_an_output(rows: Rows) -> bytes:
    message = service_pb2.ModelInferResponse.FromString(honest(rows))
    del message.outputs[1], message.raw_output_contents[1]
    return bytes(message.SerializeToString())


def _with_a_short_buffer(rows: Rows) -> bytes:
    message = service_pb2.ModelInferResponse.FromString(honest(rows))
    message.raw_output_contents[0] = message.raw_output_contents[0][:-1]
    return bytes(message.SerializeToString())


def _without_buffers(rows: Rows) -> bytes:
    message = service_pb2.ModelInferResponse.FromString(honest(rows))
    del message.raw_output_contents[:]
    return bytes(message.SerializeToString())


def _of_another_shape(rows: Rows) -> bytes:
    message = service_pb2.ModelInferResponse.FromString(honest(rows))
    message.outputs[0].ClearField("shape")
    message.outputs[0].shape.extend((len(rows), 200))
    return bytes(message.SerializeToString())


LIES: dict[str, Lie] = {
    "not a number": _filled(np.nan),
    "infinite": _filled(np.inf),
    "nowhere on Earth": _filled(500.0),
    "impossible uncertainties": lambda rows: answer(rows[:, :2], np.full_like(rows[:, 2:], -7)),
    "another shape": lambda rows: answer(rows[:, :3], rows[:, 2:]),
    "a shape that its bytes have not": _of_another_shape,
    "fewer rows": lambda rows: answer(rows[:-1, :2], rows[:-1, 2:]),
    "more rows": lambda rows: answer(np.repeat(rows[:, :2], 2, 0), np.repeat(rows[:, 2:], 2, 0)),
    "another type": lambda rows: answer(rows[:, :2], rows[:, 2:], datatype="INT32"),
    "another name": lambda rows: answer(rows[:, :2], rows[:, 2:], name="velocities"),
    "an output is missing": _without_an_output,
    "part of a body": _with_a_short_buffer,
    "no body": _without_buffers,
    "an empty message": lambda _: b"",
    "garbage": lambda _: b"\xff\x00garbage" * 20,
}


@dataclass
class Liar:
    """Every version is ready; calls are answered by `lie`, or, where that is None, never."""

    lie: Lie | None = honest
    port: int = 0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, up: threading.Event) -> None:
        """Listen until told to stop."""
        server = grpc.aio.server()
        calls = {
            "ServerLive": _call(self._live, service_pb2.ServerLiveRequest),
            "ModelReady": _call(self._ready, service_pb2.ModelReadyRequest),
            "ModelInfer": _call(self._infer, service_pb2.ModelInferRequest),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, calls),))
        self.port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        up.set()
        await self._stop.wait()
        await server.stop(None)

    def stop(self) -> None:
        """Called in the server's own loop."""
        self._stop.set()

    async def _live(self, _: Any, __: Any) -> bytes:
        return bytes(service_pb2.ServerLiveResponse(live=True).SerializeToString())

    async def _ready(self, _: Any, __: Any) -> bytes:
        return bytes(service_pb2.ModelReadyResponse(ready=True).SerializeToString())

    async def _infer(self, request: Any, _: Any) -> bytes:
        if self.lie is None:
            await self._stop.wait()
        rows = np.frombuffer(request.raw_input_contents[0], np.float32).reshape(-1, 5)
        return (self.lie or honest)(rows)


def _call(answered: Callable[[Any, Any], Awaitable[bytes]], request: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(answered, request.FromString, bytes)
