"""Calls to a real Triton over HTTP: the same answers and errors as over gRPC."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

import numpy as np
import pytest
import uvloop

from gateway.domain import Float, Lane, RawOutputs
from gateway.errors import BadAnswer, Unavailable
from gateway.triton.call import Tensor
from gateway.triton.endpoints import Triton
from gateway.triton.http_pool import Answer
from gateway.triton.over_http import _tensors
from tests.gateway import stand
from tests.gateway.conftest import ECHO
from tests.gateway.waiting import until
from tests.launch import Triton as RealTriton
from tests.launch import free_ports

ROWS = [np.array([45, 9, 100, 200, 0.5 + i / 100], np.float32) for i in range(3)]


def lane(name: str = ECHO, version: int = 1, tensor: str = "x") -> Lane:
    """Where the echo model's rows go."""
    return Lane(name, version, tensor, (5,), stand.echo_model(ECHO).contract.output)


def without_grpc(client: Triton) -> Triton:
    """The client, whose calls can only go by HTTP."""
    for endpoint in client._endpoints:
        endpoint.channel._model_infer = None
    return client


@pytest.fixture
async def client(triton: RealTriton, models: dict[str, stand.Model]) -> AsyncIterator[Triton]:
    """A client of the real Triton."""
    client = without_grpc(Triton([triton.grpc], http=[triton.http]))
    yield client
    await client.close()


async def test_every_row_gets_its_own_answer(client: Triton) -> None:
    for rows in (ROWS, [np.repeat(ROWS[0], 2)[::2]], ROWS[:1]):
        assert np.array_equal(np.hstack(await client.infer(lane(), rows)), np.stack(rows))


async def test_through_shared_memory_too(triton: RealTriton, models: dict[str, stand.Model]) -> None:
    client = without_grpc(Triton([triton.grpc], http=[triton.http], shared_memory="on"))
    await until(lambda: client.status()[0].shared_memory, within_s=30)
    regions = client._endpoints[0]._regions
    assert regions is not None
    for count in (1, 2, 3, 2, 1):
        answer = await client.infer(lane(), ROWS[:count])
        assert np.array_equal(np.hstack(answer), np.stack(ROWS[:count]))
        await until(lambda: bool(regions._free), within_s=30)
    [used] = regions._free
    assert np.array_equal(used._segment._floats[:5], ROWS[0])  # type: ignore[index]
    await client.close()


def test_under_the_gateways_own_event_loop(triton: RealTriton, models: dict[str, stand.Model]) -> None:
    async def ask() -> list[RawOutputs]:
        client = without_grpc(Triton([triton.grpc], http=[triton.http]))
        answers = await asyncio.gather(*(client.infer(lane(), [row]) for row in ROWS))
        await client.close()
        return answers

    assert np.array_equal(np.vstack([np.hstack(one) for one in uvloop.run(ask())]), np.stack(ROWS))


@pytest.mark.parametrize(("name", "version"), [("no-such-model", 1), ("no/such model?", 1), (ECHO, 77)])
async def test_a_version_that_triton_does_not_have_is_unavailable(
    client: Triton, name: str, version: int
) -> None:
    with pytest.raises(Unavailable, match=f"version {version}") as caught:
        await client.infer(lane(name, version), ROWS)
    assert caught.value.version_away


async def test_a_refused_tensor_is_a_bad_answer_without_tritons_words(client: Triton) -> None:
    with pytest.raises(BadAnswer) as caught:
        await client.infer(lane(tensor="no-such-input"), ROWS)
    assert caught.value.detail == f'Triton refused the input of model "{ECHO}" version 1'
    with pytest.raises(BadAnswer):
        await client.infer(lane(), ROWS * stand.MAX_BATCH)


async def test_calls_that_carry_much_go_by_grpc(
    triton: RealTriton, models: dict[str, stand.Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.triton.endpoint.MOST_BY_HTTP", 40)
    client = Triton([triton.grpc], http=[triton.http])
    over_grpc = client._endpoints[0].channel.with_rows
    counts = []

    def counted(lane: Lane, rows: Sequence[Float]) -> Coroutine[Any, Any, list[Tensor]]:
        counts.append(len(rows))
        return over_grpc(lane, rows)

    monkeypatch.setattr(client._endpoints[0].channel, "with_rows", counted)
    for rows in (ROWS[:2], ROWS, ROWS[:1]):
        assert np.array_equal(np.hstack(await client.infer(lane(), rows)), np.stack(rows))
    assert counts == [3]
    await client.close()


async def test_where_http_is_not_reached_calls_go_by_grpc_and_the_log_says_so(
    triton: RealTriton, models: dict[str, stand.Model], caplog: pytest.LogCaptureFixture
) -> None:
    client = Triton([triton.grpc], http=[f"127.0.0.1:{free_ports(1)[0]}"])
    for _ in range(3):
        assert np.array_equal(np.hstack(await client.infer(lane(), ROWS)), np.stack(ROWS))
    assert caplog.text.count("not reached over HTTP") == 1
    await client.close()


HEAD = (
    b'{"outputs":[{"name":"positions","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}]}'
)


def test_tensors_are_cut_out_of_the_body() -> None:
    length = {b"inference-header-content-length": b"%d" % len(HEAD)}
    [tensor] = _tensors(lane(), Answer(200, length, HEAD + bytes(8)))
    assert (tensor.name, tensor.datatype, tensor.shape, bytes(tensor.content)) == (
        "positions",
        "FP32",
        (1, 2),
        bytes(8),
    )


@pytest.mark.parametrize(
    ("length", "body"),
    [
        (b"3", b"{}{"),
        (b"2", b"{}"),
        (b"x", HEAD),
        (b"-1", HEAD),
        (b"%d" % len(HEAD), HEAD.replace(b"8", b'"8"')),
        (b"%d" % len(HEAD), HEAD.replace(b"[1,2]", b"null")),
    ],
)
def test_what_is_no_answer_with_tensors_is_a_bad_answer(length: bytes, body: bytes) -> None:
    with pytest.raises(BadAnswer):
        _tensors(lane(), Answer(200, {b"inference-header-content-length": length}, body))
