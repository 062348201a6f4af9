"""Triton's calls over HTTP: KServe v2, with Triton's extensions for binary tensors and shared memory.

A call costs a third of the processor time that gRPC's Python client takes for it, and some half a millisecond
less waiting (benchmarks/forwarding.py). As with gRPC, heads are made once; rows are not even joined.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import msgspec
import numpy as np

from gateway.domain import Float, Lane
from gateway.errors import BadAnswer
from gateway.telemetry.traceparent import CURRENT
from gateway.triton.call import Failure, Tensor, named, output_names, row_bytes
from gateway.triton.http_pool import Answer, Garbage, HttpPool, Lost, NotConnected

log = logging.getLogger(__name__)

REST_S = 5.0
"""How long HTTP is left alone after no connection could be made."""

_CODES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class _Size(msgspec.Struct):
    binary_data_size: int


class _Output(msgspec.Struct):
    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: _Size


class _Head(msgspec.Struct):
    outputs: list[_Output]


_head_decoder = msgspec.json.Decoder(_Head)


class Http:
    """One Triton's HTTP listener. Made inside the running event loop."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._pool = HttpPool(address)
        self._rests_until = 0.0
        self._said = False

    @property
    def usable(self) -> bool:
        """Whether it may be expected to be reached."""
        return asyncio.get_running_loop().time() >= self._rests_until

    async def with_rows(self, lane: Lane, rows: Sequence[Float]) -> list[Tensor]:
        """See `triton_call.Carrier`."""
        buffers = [np.ascontiguousarray(row, "<f4").data.cast("B") for row in rows]
        return await self._infer(lane, [_head(self._address, lane, len(rows), None), *buffers])

    async def in_region(self, lane: Lane, rows: int, region: str) -> list[Tensor]:
        """See `triton_call.Carrier`."""
        return await self._infer(lane, [_head(self._address, lane, rows, region)])

    def close(self) -> None:
        """End every connection."""
        self._pool.close()

    async def _infer(self, lane: Lane, request: Sequence[bytes | memoryview]) -> list[Tensor]:
        try:
            if traceparent := CURRENT.get():
                request = [_traced(request[0], traceparent), *request[1:]]
            answer = await self._pool.ask(request)
        except NotConnected as error:
            self._rests_until = asyncio.get_running_loop().time() + REST_S
            if not self._said:
                log.warning("Triton is not reached over HTTP at %s, gRPC is used: %s", self._address, error)
            self._said = True
            raise Failure("UNAVAILABLE", str(error)) from error
        except Lost as error:
            raise Failure("UNAVAILABLE", str(error)) from error
        except Garbage as error:
            raise BadAnswer(f"{named(lane)}: Triton answered with {error}") from error
        self._said = False
        if answer.status != 200:
            words = answer.body[:1000].decode(errors="replace")
            raise Failure(_CODES.get(answer.status, "INTERNAL"), words)
        return _tensors(lane, answer)


def _traced(head: bytes | memoryview, traceparent: str) -> bytes:
    return bytes(head).replace(b"\r\n", f"\r\ntraceparent: {traceparent}\r\n".encode(), 1)


@lru_cache(maxsize=4096)
def _head(address: str, lane: Lane, rows: int, region: str | None) -> bytes:
    """The request up to its rows: all of it, if those are in a region."""
    size = rows * row_bytes(lane)
    where: dict[str, Any] = {"binary_data_size": size}
    if region is not None:
        where = {"shared_memory_region": region, "shared_memory_byte_size": size}
    shape = (rows, *lane.shape)
    document = msgspec.json.encode(
        {
            "inputs": [{"name": lane.tensor, "datatype": "FP32", "shape": shape, "parameters": where}],
            "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in output_names(lane)],
        }
    )
    length = len(document) + (size if region is None else 0)
    lines = (
        f"POST /v2/models/{quote(lane.model, safe='')}/versions/{lane.version}/infer HTTP/1.1",
        f"Host: {address}",
        "Content-Type: application/octet-stream",
        f"Inference-Header-Content-Length: {len(document)}",
        f"Content-Length: {length}",
        "\r\n",
    )
    return "\r\n".join(lines).encode() + document


def _tensors(lane: Lane, answer: Answer) -> list[Tensor]:
    given = answer.headers.get(b"inference-header-content-length", b"%d" % len(answer.body))
    try:
        end = int(given)
        head = _head_decoder.decode(answer.body[:end])
    except (ValueError, msgspec.DecodeError) as error:
        raise BadAnswer(f"{named(lane)}: Triton answered with something else than tensors") from error
    tensors, content = [], memoryview(answer.body)[end:]
    for one in head.outputs:
        size = max(one.parameters.binary_data_size, 0)
        tensors.append(Tensor(one.name, one.datatype, one.shape, content[:size]))
        content = content[size:]
    return tensors
