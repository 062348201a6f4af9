"""Calls to a real Triton; and what its errors become, from a gRPC server that fails on demand."""

from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from gateway.domain import Lane
from gateway.errors import BadAnswer, DeadlineExceeded, FixgateError, Unavailable
from gateway.triton.endpoints import Health, Triton
from tests.gateway import stand
from tests.gateway.conftest import ECHO
from tests.launch import Triton as RealTriton
from tests.launch import free_ports

ROWS = [np.array([45, 9, 100, 200, 0.5 + i / 100], np.float32) for i in range(3)]


def lane(model: stand.Model, name: str | None = None, version: int = 1) -> Lane:
    """Where the echo model's rows go."""
    return Lane(name or model.name, version, "x", (5,), model.contract.output)


@pytest.fixture
async def client(triton: RealTriton) -> AsyncIterator[Triton]:
    """A client of the real Triton."""
    client = Triton([triton.grpc])
    yield client
    await client.close()


async def test_every_row_gets_its_own_answer(client: Triton, models: dict[str, stand.Model]) -> None:
    answer = await client.infer(lane(models[ECHO]), ROWS)
    assert np.array_equal(np.hstack(answer), np.stack(ROWS))


async def test_rows_need_not_be_contiguous(client: Triton, models: dict[str, stand.Model]) -> None:
    row = np.repeat(ROWS[0], 2)[::2]
    answer = await client.infer(lane(models[ECHO]), [row])
    assert np.array_equal(np.hstack(answer)[0], row)


async def test_readiness_is_the_versions_own(client: Triton, models: dict[str, stand.Model]) -> None:
    asked = [(ECHO, 1), (ECHO, 2), ("no-such-model", 1)]
    assert [await client.version_ready(*one) for one in asked] == [True, False, False]


@pytest.mark.parametrize(("name", "version"), [("no-such-model", 1), (ECHO, 77)])
async def test_a_version_that_triton_does_not_have_is_unavailable(
    client: Triton, models: dict[str, stand.Model], name: str, version: int
) -> None:
    with pytest.raises(Unavailable, match=f'"{name}" version {version}'):
        await client.infer(lane(models[ECHO], name, version), ROWS)


async def test_a_refused_tensor_is_a_bad_answer_without_tritons_words(
    client: Triton, models: dict[str, stand.Model]
) -> None:
    wrong = Lane(ECHO, 1, "no-such-input", (5,), models[ECHO].contract.output)
    with pytest.raises(BadAnswer) as caught:
        await client.infer(wrong, ROWS)
    assert caught.value.detail == f'Triton refused the input of model "{ECHO}" version 1'


async def test_more_rows_than_a_model_takes_are_refused(
    client: Triton, models: dict[str, stand.Model]
) -> None:
    with pytest.raises(BadAnswer):
        await client.infer(lane(models[ECHO]), ROWS * stand.MAX_BATCH)


async def test_no_triton_is_unavailable_and_not_ready(models: dict[str, stand.Model]) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    client = Triton([address])
    with pytest.raises(Unavailable, match="cannot be reached"):
        await client.infer(lane(models[ECHO]), ROWS)
    assert not await client.version_ready(ECHO, 1)
    assert await client.health() == [Health(address, live=False)]
    await client.close()


async def test_a_triton_that_cannot_be_reached_is_passed_over(
    triton: RealTriton, models: dict[str, stand.Model]
) -> None:
    away = f"127.0.0.1:{free_ports(1)[0]}"
    client = Triton([away, triton.grpc])
    assert await client.version_ready(ECHO, 1)
    assert [one.live for one in await client.health()] == [False, True]
    for _ in range(4):
        assert len((await client.infer(lane(models[ECHO]), ROWS)).positions) == len(ROWS)
    await client.close()


class Failing(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Answers every call as it is told to."""

    code: grpc.StatusCode | None = None
    answer = service_pb2.ModelInferResponse()

    async def ModelInfer(  # noqa: N802
        self, _: service_pb2.ModelInferRequest, context: grpc.aio.ServicerContext
    ) -> service_pb2.ModelInferResponse:
        if self.code is not None:
            await context.abort(self.code, "/secret/path: words of Triton's")
        return self.answer


@pytest.fixture
async def failing() -> AsyncIterator[tuple[Failing, Triton]]:
    """A server that fails on demand, and a client of it."""
    servicer, server = Failing(), grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    client = Triton([f"127.0.0.1:{port}"])
    yield servicer, client
    await client.close()
    await server.stop(None)


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.NOT_FOUND, Unavailable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Unavailable),
        (grpc.StatusCode.CANCELLED, Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded),
        (grpc.StatusCode.INVALID_ARGUMENT, BadAnswer),
        (grpc.StatusCode.INTERNAL, BadAnswer),
        (grpc.StatusCode.UNKNOWN, BadAnswer),
    ],
)
async def test_every_error_of_tritons_becomes_one_of_ours(
    failing: tuple[Failing, Triton],
    models: dict[str, stand.Model],
    code: grpc.StatusCode,
    becomes: type[FixgateError],
) -> None:
    servicer, client = failing
    servicer.code = code
    with pytest.raises(becomes) as caught:
        await client.infer(lane(models[ECHO]), ROWS)
    assert "secret" not in caught.value.detail


def response(*outputs: tuple[str, str, list[int], bytes]) -> service_pb2.ModelInferResponse:
    """What Triton might answer: name, datatype, shape, bytes of each output."""
    answer = service_pb2.ModelInferResponse()
    for name, datatype, shape, content in outputs:
        answer.outputs.add(name=name, datatype=datatype, shape=shape)
        answer.raw_output_contents.append(content)
    return answer


POSITIONS = ("positions", "FP32", [1, 2], bytes(8))
UNCERTAINTIES = ("uncertainties", "FP32", [1, 3], bytes(12))


@pytest.mark.parametrize(
    "answer",
    [
        response(POSITIONS),
        response(POSITIONS, ("uncertainties", "FP32", [2, 3], bytes(24))),
        response(POSITIONS, ("uncertainties", "FP32", [1, 3], bytes(11))),
        response(POSITIONS, ("uncertainties", "BYTES", [1, 3], bytes(12))),
        response(POSITIONS, ("uncertainties", "FP32", [], bytes(4))),
        service_pb2.ModelInferResponse(outputs=response(POSITIONS, UNCERTAINTIES).outputs),
    ],
    ids=["output missing", "too many rows", "cut short", "not numbers", "scalar", "no buffers"],
)
async def test_an_answer_that_is_none_is_a_bad_answer(
    failing: tuple[Failing, Triton],
    models: dict[str, stand.Model],
    answer: service_pb2.ModelInferResponse,
) -> None:
    servicer, client = failing
    servicer.answer = answer
    with pytest.raises(BadAnswer):
        await client.infer(lane(models[ECHO]), ROWS[:1])


async def test_outputs_are_read_by_name_and_in_any_precision(
    failing: tuple[Failing, Triton], models: dict[str, stand.Model]
) -> None:
    servicer, client = failing
    half = np.array([[1, 2, 3]], "<f2").tobytes()
    double = np.array([[45, 9]], "<f8").tobytes()
    servicer.answer = response(
        ("uncertainties", "FP16", [1, 3], half),
        ("other", "FP32", [1], bytes(4)),
        ("positions", "FP64", [1, 2], double),
    )
    answer = await client.infer(lane(models[ECHO]), ROWS[:1])
    assert answer.positions.tolist() == [[45, 9]]
    assert answer.uncertainties.tolist() == [[1, 2, 3]]
