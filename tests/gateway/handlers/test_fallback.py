"""A version that is away, over real HTTP with a real Triton: who answers, and how it shows."""

import asyncio
import logging
from collections import Counter

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.catalog import RoutePolicy
from gateway.config import Config
from tests.gateway import stand
from tests.gateway.conftest import Gateway, StartGateway, changed
from tests.gateway.triton.holding_triton import holding_triton
from tests.gateway.waiting import until
from tests.launch import Triton

NAME = "gateway-fallback"
NPY = {"Content-Type": "application/x-npy"}

Answer = tuple[int, str | None, str | None]
"""Status, who answered, instead of whom."""


async def ask(gateway: Gateway, seed: int, pin: str | None = None) -> Answer:
    """One answer to a recording of its own."""
    headers = NPY | ({"X-Model-Version": pin} if pin else {})
    async with gateway.client.post("/predict", data=stand.npy(stand.iq(seed)), headers=headers) as response:
        told = response.headers
        return response.status, told.get("X-Model-Version"), told.get("X-Fallback-From")


async def fallbacks(gateway: Gateway) -> dict[tuple[str, str], float]:
    """Recordings counted, by the version that lost them and the one that answered."""
    async with gateway.client.get("/metrics") as response:
        families = text_string_to_metric_families(await response.text())
    return {
        (sample.labels["version"], sample.labels["stand_in"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "fixgate_fallbacks_total"
    }


async def test_a_version_that_stops_being_ready_loses_its_traffic_without_a_failed_request(
    start_gateway: StartGateway, config: Config, triton: Triton, caplog: pytest.LogCaptureFixture
) -> None:
    """And gets it back when it is ready again; what pins it is told so, and never answered by another."""
    champion, candidate = stand.mel_model(NAME, 1), stand.mel_model(NAME, 2)
    stand.publish(triton, champion, candidate)
    both = stand.served_model(
        champion.served(), candidate.served(), name=NAME, routing=RoutePolicy({"candidate": 1})
    )
    stand.announce(config.redis_url, stand.catalogue(both))
    gateway = await start_gateway(config)
    await gateway.ready()
    seeds = iter(range(10**6))
    assert await ask(gateway, next(seeds)) == (200, "2", None)

    answers: Counter[Answer] = Counter()

    async def asked_until(wanted: Answer) -> None:
        async def comes() -> bool:
            answer = await ask(gateway, next(seeds))
            answers[answer] += 1
            return answer == wanted

        await until(comes)

    with caplog.at_level(logging.INFO, logger="gateway.versions.fallback_log"):
        stand.serve_only(triton, champion)
        await asked_until((200, "1", "2"))
        async with gateway.client.get("/ready") as response:
            assert response.status == 200
        async with gateway.client.post(
            "/models/gateway-fallback/aliases/candidate/predict", data=stand.npy(stand.iq(1)), headers=NPY
        ) as response:
            assert response.status == 503
            assert int(response.headers["Retry-After"]) >= 1
            assert "version 2" in (await response.json())["detail"]
        assert (await ask(gateway, 2, pin="2"))[0] == 503
        assert await ask(gateway, 3, pin="1") == (200, "1", None)
        assert (await fallbacks(gateway))["2", "1"] == answers[200, "1", "2"]

        stand.serve_only(triton, champion, candidate)
        await asked_until((200, "2", None))
    assert {status for status, *_ in answers} == {200}
    lines = [
        record.getMessage() for record in caplog.records if record.name == "gateway.versions.fallback_log"
    ]
    assert [line.split(" version 2 ")[1] for line in lines] == [
        "is not available: version 1 answers for it",
        "answers again",
    ]
    await asyncio.to_thread(stand.withdraw, triton, NAME)


async def test_a_version_that_trips_its_breaker_loses_its_traffic_until_it_answers_again(
    start_gateway: StartGateway, config: Config
) -> None:
    """What it fails itself is told as it is; after that the champion answers, and what pins it gets 503."""
    versions = [stand.echo_model("echo").served(version=number, digest=str(number) * 64) for number in (1, 2)]
    both = stand.served_model(*versions, name="echo", routing=RoutePolicy({"candidate": 1}))
    async with holding_triton(1, 2) as backend:
        stand.announce(config.redis_url, stand.catalogue(both))
        gateway = await start_gateway(changed(config, triton_grpc=(backend.address,), triton_shm="off"))
        await gateway.ready()

        async def ask(path: str = "/predict") -> Answer:
            row = np.array([45, 9, 100, 100, 0], np.float32).tobytes()
            headers = {"Content-Type": "application/octet-stream"}
            url = f"{path}?dtype=f32_le&cache_enabled=false"
            async with gateway.client.post(url, data=row, headers=headers) as response:
                told = response.headers
                return response.status, told.get("X-Model-Version"), told.get("X-Fallback-From")

        async def asked_until(wanted: Answer) -> set[Answer]:
            before = set()
            while (answer := await ask()) != wanted:
                before.add(answer)
                await asyncio.sleep(0.01)
            return before

        assert await ask() == (200, "2", None)
        async with asyncio.timeout(60):
            backend.broken = {2}
            assert await asked_until((200, "1", "2")) == {(502, None, None)}
            assert await ask("/models/echo/versions/2/predict") == (503, None, None)
            backend.broken = set()
            assert await asked_until((200, "2", None)) <= {(200, "1", "2")}
