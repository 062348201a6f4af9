"""How long a request may take, by its kind or its header: real HTTP, and a Triton that holds its calls."""

import asyncio
from typing import Any

import pytest

from gateway.config import Config
from tests.gateway.conftest import ECHO, Gateway, StartGateway, changed
from tests.gateway.handlers.test_predict import post
from tests.gateway.test_deadline import timers
from tests.gateway.triton.holding_triton import holding_triton
from tests.gateway.waiting import until

PREDICT, BATCH = f"/models/{ECHO}/predict", f"/models/{ECHO}/predict/batch"
SHORT, LONG = 100, 60_000
"""Milliseconds: over before a test is, and not."""

NONE: dict[str, str] = {}
SHORT_HEADER, LONG_HEADER = ({"X-Request-Timeout-Ms": str(ms)} for ms in (SHORT, LONG))


async def ask(
    gateway: Gateway, path: str, headers: dict[str, str], latitude: int
) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to one row, or to a batch of two."""
    rows = [{"features": [latitude + i, 9, 100, 200, 0.5]} for i in range(2)]
    body = {"samples": rows} if path == BATCH else rows[0]
    status, answer, _ = await post(gateway, path, json=body, headers=headers)
    return status, answer


@pytest.mark.parametrize(
    ("times", "patient", "hurried"),
    [
        ((SHORT, LONG), (BATCH, NONE), (PREDICT, NONE)),
        ((LONG, SHORT), (PREDICT, NONE), (BATCH, NONE)),
        ((SHORT, SHORT), (PREDICT, LONG_HEADER), (PREDICT, NONE)),
        ((SHORT, SHORT), (BATCH, LONG_HEADER), (BATCH, NONE)),
        ((LONG, LONG), (PREDICT, NONE), (PREDICT, SHORT_HEADER)),
        ((LONG, LONG), (BATCH, NONE), (BATCH, SHORT_HEADER)),
    ],
    ids=["predict", "batch", "longer", "longer batch", "shorter", "shorter batch"],
)
async def test_a_request_has_the_time_of_its_kind_unless_its_header_says_another(
    start_gateway: StartGateway,
    alone: Config,
    times: tuple[int, int],
    patient: tuple[str, dict[str, str]],
    hurried: tuple[str, dict[str, str]],
) -> None:
    """Of two that Triton holds, the one that came later is out of time, and the one before it is not."""
    async with holding_triton() as triton:
        options = {"predict_timeout_ms": times[0], "batch_timeout_ms": times[1]}
        gateway = await start_gateway(changed(alone, triton_grpc=(triton.address,), **options))
        await gateway.ready()
        waiting = asyncio.create_task(ask(gateway, *patient, 10))
        await until(lambda: triton.held == 1)
        async with asyncio.timeout(LONG / 2e3):
            status, problem = await ask(gateway, *hurried, 20)
        assert (status, problem["error"]) == (504, "deadline_exceeded")
        assert not waiting.done()
        triton.release.set()
        assert (await waiting)[0] == 200


@pytest.mark.parametrize(
    ("usual", "headers", "counted"),
    [
        (LONG, SHORT_HEADER, "OwnDeadline"),
        (SHORT, SHORT_HEADER, "DeadlineExceeded"),
        (SHORT, NONE, "DeadlineExceeded"),
    ],
    ids=["shorter", "the same", "none"],
)
@pytest.mark.parametrize("path", [f"/models/{ECHO}/versions/1/predict", BATCH])
async def test_a_time_that_the_client_itself_has_shortened_is_not_held_against_the_version(
    start_gateway: StartGateway,
    alone: Config,
    path: str,
    usual: int,
    *,
    headers: dict[str, str],
    counted: str,
) -> None:
    """Else whoever may ask could have a rollout taken back. The answer is the same."""
    async with holding_triton() as triton:
        options = {"predict_timeout_ms": usual, "batch_timeout_ms": usual}
        gateway = await start_gateway(changed(alone, triton_grpc=(triton.address,), **options))
        await gateway.ready()
        status, problem = await ask(gateway, path, headers, 10)
        assert (status, problem["error"]) == (504, "deadline_exceeded")
        record = gateway.services.records._now[ECHO, 1]
        rows = 2 if path == BATCH else 1
        assert record.errors == {counted: rows}
        assert record.error_rate == (None if counted == "OwnDeadline" else 1.0)
        triton.release.set()


async def test_a_call_that_is_made_again_elsewhere_ends_at_its_requests_deadline(
    start_gateway: StartGateway, alone: Config
) -> None:
    """The first Triton is lost with the call, the second holds it; the deadline is the one from before."""
    async with holding_triton() as one, holding_triton() as other:
        gateway = await start_gateway(changed(alone, triton_grpc=(one.address, other.address)))
        await gateway.ready()
        asked = asyncio.create_task(ask(gateway, PREDICT, LONG_HEADER, 10))
        await until(lambda: one.held + other.held == 1)
        first, second = (one, other) if one.held else (other, one)
        (deadline,) = timers()
        first.lost = True
        first.release.set()
        await until(lambda: second.held == 1)
        assert timers() == [deadline]
        deadline._run()  # its time has come
        async with asyncio.timeout(LONG / 2e3):
            status, problem = await asked
        assert (status, problem["error"]) == (504, "deadline_exceeded")
        assert "out of time in triton" in problem["detail"]
        assert (first.rows, second.rows) == ([1], [1])
