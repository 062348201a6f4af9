"""Clients that leave before they are answered, over real HTTP with a Triton that holds its calls."""

import asyncio
from typing import Any

import pytest

from gateway import admission
from gateway.config import Config
from gateway.triton import endpoint as triton_endpoint
from tests.gateway.conftest import ECHO, Gateway, StartGateway, changed
from tests.gateway.handlers.test_predict import post
from tests.gateway.triton.holding_triton import holding_triton
from tests.gateway.waiting import until

PATH = f"/models/{ECHO}/predict"
PATIENT = {"X-Request-Timeout-Ms": "60000"}


def asked(latitude: int) -> dict[str, Any]:
    """One recording."""
    return {"features": [latitude, 9, 100, 200, 0.5]}


async def is_gone(gateway: Gateway) -> bool:
    """Whether the gateway has let a client go."""
    async with gateway.client.get("/metrics") as response:
        return 'status="499"' in await response.text()


@pytest.mark.parametrize(
    ("path", "body", "rows"),
    [(PATH, asked(41), 1), (f"{PATH}/batch", {"samples": [asked(i) for i in (41, 42, 43)]}, 3)],
    ids=["one", "batch"],
)
async def test_what_waits_for_a_client_that_left_never_reaches_triton(
    start_gateway: StartGateway, alone: Config, path: str, body: dict[str, Any], rows: int
) -> None:
    async with holding_triton() as triton:
        gateway = await start_gateway(changed(alone, triton_grpc=(triton.address,), calls_in_flight=1))
        await gateway.ready()
        first = asyncio.create_task(post(gateway, PATH, json=asked(40), headers=PATIENT))
        await until(lambda: triton.held == 1)
        leaving = asyncio.create_task(post(gateway, path, json=body, headers=PATIENT))
        await until(lambda: gateway.services.predictor._locator.waiting() == rows)
        leaving.cancel()  # which ends its connection
        await until(lambda: is_gone(gateway))
        triton.release.set()
        assert (await first)[0] == 200
        assert (await post(gateway, PATH, json=asked(44), headers=PATIENT))[0] == 200
        assert triton.rows == [1, 1]


async def test_a_client_with_hardly_any_time_takes_the_version_away_from_nobody(
    start_gateway: StartGateway, alone: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it gave up goes on at Triton, and so keeps its place: no more is under way than may be."""
    monkeypatch.setattr(admission, "PATIENCE_S", 600.0)
    monkeypatch.setattr(triton_endpoint, "GIVEN_UP_S", 0.0)
    hurried = asked(40) | {"cache_enabled": False}
    async with holding_triton() as triton:
        gateway = await start_gateway(changed(alone, triton_grpc=(triton.address,), calls_in_flight=2))
        await gateway.ready()
        for _ in range(triton_endpoint.LINGERING + 2):
            answer = await post(gateway, PATH, json=hurried, headers={"X-Request-Timeout-Ms": "100"})
            assert (answer[0], answer[1]["error"]) == (504, "deadline_exceeded")
        await until(lambda: triton.held == 2)
        (status,) = gateway.services.triton.status()
        assert (status.in_flight, status.lingering, status.breakers) == (2, 0, ())
        assert gateway.services.readiness.available(ECHO, 1)
        patient = asyncio.create_task(post(gateway, PATH, json=asked(41), headers=PATIENT))
        await until(lambda: gateway.services.predictor._locator.waiting() == 1)
        triton.release.set()
        assert (await patient)[0] == 200
        assert (triton.rows, triton.cancelled) == ([1, 1, 1], 0)


async def test_calls_that_are_given_up_and_never_answered_are_in_nobodys_way_for_ever(
    start_gateway: StartGateway, alone: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Overdue, they lose their places, and count as failures of the version, which so falls away at last."""
    assert admission.PATIENCE_S > triton_endpoint.GIVEN_UP_S  # else they would not count
    monkeypatch.setattr(admission, "PATIENCE_S", 0.0)
    monkeypatch.setattr(triton_endpoint, "GIVEN_UP_S", 0.0)
    async with holding_triton() as triton:
        gateway = await start_gateway(changed(alone, triton_grpc=(triton.address,), calls_in_flight=1))
        await gateway.ready()

        async def falls_away() -> bool:
            headers = {"X-Request-Timeout-Ms": "100"}
            assert (await post(gateway, PATH, json=asked(40), headers=headers))[0] in {503, 504}
            (status,) = gateway.services.triton.status()
            return [one.state for one in status.breakers] == ["open"]

        await until(falls_away)
        triton.release.set()
        await until(lambda: gateway.services.triton.available(ECHO, 1))
