"""Triton over gRPC: calls with stacked rows, version readiness, and what its errors mean to us.

The only importer of tritonclient. The generated stub is used as it is: one request message per call, rows
joined once, no intermediate objects per tensor.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2, service_pb2_grpc

from gateway.domain import Float, Lane, RawOutputs
from gateway.errors import BadAnswer, DeadlineExceeded, FixgateError, Unavailable

log = logging.getLogger(__name__)

_CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # gRPC would wait up to two minutes before it tries a restarted Triton again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_DTYPES: dict[str, np.dtype[Any]] = {
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}


class _Endpoint:
    """One Triton and its one long-lived channel."""

    __slots__ = ("address", "channel", "in_flight", "stub")

    def __init__(self, address: str) -> None:
        self.address = address
        self.channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self.stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)
        self.in_flight = 0


class Health(NamedTuple):
    """What one endpoint says of itself."""

    address: str
    live: bool


class Triton:
    """One or more Tritons that serve the same repository. Made inside the running event loop."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._endpoints = [_Endpoint(address) for address in addresses]

    async def infer(self, lane: Lane, rows: Sequence[Float]) -> RawOutputs:
        """One call.

        Args:
            rows: float32 arrays of `lane.shape`, at least one.

        Returns:
            Tensors whose first axis runs over the rows.

        Raises:
            Unavailable: no Triton reached, or it does not have the version ready.
            BadAnswer: it refused the tensors, failed to run the model, or answered with something else.
        """
        endpoint = min(self._endpoints, key=_burden)
        endpoint.in_flight += 1
        try:
            response = await endpoint.stub.ModelInfer(_request(lane, rows))
        except grpc.aio.AioRpcError as error:
            _raise_ours(error, lane, endpoint.address)
        finally:
            endpoint.in_flight -= 1
        return _outputs(lane, response, len(rows))

    async def version_ready(self, model: str, version: int, *, timeout_s: float = 1.0) -> bool | None:
        """Whether any Triton has this very version ready; asks the version, never the server.

        Returns:
            None when no Triton said anything, which says nothing about the version.
        """
        request = service_pb2.ModelReadyRequest(name=model, version=str(version))
        answers = await asyncio.gather(
            *(endpoint.stub.ModelReady(request, timeout=timeout_s) for endpoint in self._endpoints),
            return_exceptions=True,
        )
        told = [_unless_away(answer, "ready") for answer in answers if not _is_away(answer)]
        return any(told) if told else None

    async def health(self, *, timeout_s: float = 1.0) -> list[Health]:
        """Which Tritons are up."""
        answers = await asyncio.gather(
            *(
                endpoint.stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=timeout_s)
                for endpoint in self._endpoints
            ),
            return_exceptions=True,
        )
        return [
            Health(endpoint.address, _unless_away(answer, "live"))
            for endpoint, answer in zip(self._endpoints, answers, strict=True)
        ]

    async def close(self) -> None:
        """Close the channels; calls under way are cancelled."""
        await asyncio.gather(*(endpoint.channel.close() for endpoint in self._endpoints))


def _burden(endpoint: _Endpoint) -> tuple[bool, int]:
    """Least first: a channel that cannot connect comes last."""
    return endpoint.channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE, endpoint.in_flight


def _is_away(answer: Any) -> bool:
    return isinstance(answer, grpc.aio.AioRpcError)


def _unless_away(answer: Any, field: str) -> bool:
    if _is_away(answer):
        return False
    if isinstance(answer, BaseException):
        raise answer
    return bool(getattr(answer, field))


def _request(lane: Lane, rows: Sequence[Float]) -> Any:
    request = service_pb2.ModelInferRequest(model_name=lane.model, model_version=str(lane.version))
    request.inputs.add(name=lane.tensor, datatype="FP32", shape=(len(rows), *lane.shape))
    for name in _names(lane):
        request.outputs.add(name=name)
    request.raw_input_contents.append(b"".join(np.ascontiguousarray(row, "<f4").data for row in rows))
    return request


def _outputs(lane: Lane, response: Any, rows: int) -> RawOutputs:
    """Read by name: Triton's order is its own."""
    raw = response.raw_output_contents
    if len(raw) != len(response.outputs):
        raise BadAnswer(f"{_named(lane)}: {len(raw)} buffers for {len(response.outputs)} outputs")
    given = {
        tensor.name: _array(lane, tensor, content, rows)
        for tensor, content in zip(response.outputs, raw, strict=True)
    }
    for name in _names(lane):
        if name not in given:
            raise BadAnswer(f'{_named(lane)}: no output "{name}"')
    return RawOutputs(*(given[name] for name in _names(lane)))


def _names(lane: Lane) -> tuple[str, str]:
    return lane.output.position.tensor, lane.output.uncertainty.tensor


def _array(lane: Lane, tensor: Any, content: bytes, rows: int) -> NDArray[Any]:
    dtype = _DTYPES.get(tensor.datatype)
    shape = tuple(tensor.shape)
    if dtype is None or shape[:1] != (rows,) or len(content) != dtype.itemsize * int(np.prod(shape)):
        raise BadAnswer(
            f'{_named(lane)}: output "{tensor.name}" is {tensor.datatype} {list(shape)}, '
            f"{len(content)} bytes, for {rows} rows"
        )
    array: NDArray[Any] = np.frombuffer(content, dtype).reshape(shape)
    return array


def _raise_ours(error: "grpc.aio.AioRpcError", lane: Lane, address: str) -> NoReturn:
    """Triton's own words go to the log only: they may name its paths."""
    log.warning("%s at %s: %s %s", _named(lane), address, error.code().name, error.details())
    raise _ours(error.code(), lane) from error


def _ours(code: "grpc.StatusCode", lane: Lane) -> FixgateError:
    match code:
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.NOT_FOUND:
            return Unavailable(
                f"{_named(lane)} is not ready in Triton, or Triton cannot be reached", version_away=True
            )
        case grpc.StatusCode.RESOURCE_EXHAUSTED | grpc.StatusCode.CANCELLED | grpc.StatusCode.ABORTED:
            return Unavailable(f"Triton did not take the call for {_named(lane)}")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(f"Triton ran out of time for {_named(lane)}")
        case grpc.StatusCode.INVALID_ARGUMENT:
            return BadAnswer(f"Triton refused the input of {_named(lane)}")
        case _:
            return BadAnswer(f"Triton failed to run {_named(lane)}")


def _named(lane: Lane) -> str:
    return f'model "{lane.model}" version {lane.version}'
