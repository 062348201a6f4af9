"""Clients that leave before they are answered, over real HTTP with a Triton that holds its calls."""

import asyncio
from typing import Any

import pytest

from gateway.config import Config
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
