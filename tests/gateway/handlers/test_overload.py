"""Overload over real HTTP, with a Triton that holds its calls."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.config import Config
from gateway.handlers import predict as predict_handlers
from gateway.turns import Turns
from tests.gateway.conftest import ECHO, Gateway, StartGateway, changed
from tests.gateway.handlers.test_predict import post
from tests.gateway.triton.holding_triton import HoldingTriton, holding_triton
from tests.gateway.waiting import until

PATH = f"/models/{ECHO}/predict"
PATIENT = {"X-Request-Timeout-Ms": "60000"}


def asked(latitude: float) -> dict[str, Any]:
    """A body."""
    return {"features": [latitude, 9, 100, 200, 0.5]}


@dataclass
class Overloaded:
    """A gateway whose Triton has answered one request (latitude 40) and holds the next (41) for too long."""

    gateway: Gateway
    triton: HoldingTriton
    held: "asyncio.Task[int]"

    async def post(
        self, latitude: float, path: str = PATH, **headers: str
    ) -> tuple[int, dict[str, Any], Any]:
        """Status, body and headers of an answer."""
        async with self.gateway.client.post(
            path, json=asked(latitude), headers=PATIENT | headers
        ) as response:
            return response.status, await response.json(content_type=None), response.headers


@pytest.fixture
async def overloaded(start_gateway: StartGateway, alone: Config) -> AsyncIterator[Overloaded]:
    async with holding_triton() as triton:
        config = changed(alone, triton_grpc=(triton.address,), calls_in_flight=1, objective_ms=200)
        gateway = await start_gateway(config)
        await gateway.ready(within_s=60)
        service = Overloaded(gateway, triton, asyncio.create_task(asyncio.sleep(0, 0)))
        triton.release.set()
        assert (await service.post(40))[0] == 200
        triton.release.clear()

        async def held() -> int:
            return (await service.post(41))[0]

        service.held = asyncio.create_task(held())
        now = asyncio.get_running_loop().time
        await until(lambda: gateway.services.admission.longest_s(now()) > 0.2, within_s=60)
        yield service
        triton.release.set()
        await service.held


async def test_what_would_come_too_late_is_refused_at_once_and_told_when_to_come_back(
    overloaded: Overloaded,
) -> None:
    status, problem, headers = await overloaded.post(42)
    assert (status, problem["error"]) == (503, "overloaded")
    assert int(headers["Retry-After"]) >= 1
    assert f'an answer of model "{ECHO}" version 1 would take about' in problem["detail"]
    assert "the latency objective leaves 160 ms" in problem["detail"]
    status, problem, _ = await overloaded.post(42, **{"X-Request-Timeout-Ms": "100"})
    assert (status, problem["error"]) == (503, "overloaded")
    assert "the deadline leaves" in problem["detail"]
    assert overloaded.triton.rows == [1, 1]


async def test_a_body_whose_turn_would_come_too_late_is_refused_unread(
    overloaded: Overloaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of large bodies: a small one has no turn to wait for."""
    overloaded.triton.release.set()
    assert await overloaded.held == 200
    client, large = overloaded.gateway.client, json.dumps(asked(42)).encode().ljust(70_000)
    headers = PATIENT | {"Content-Type": "application/json"}
    monkeypatch.setattr(Turns, "wait_s", 0.19)
    async with client.post(PATH, data=large, headers=headers) as response:
        assert response.status == 200
    monkeypatch.setattr(Turns, "wait_s", 0.21)
    async with client.post(PATH, data=large, headers=headers) as response:
        problem = await response.json(content_type=None)
    assert (response.status, problem["error"]) == (503, "overloaded")
    assert "parsing the body would take about 210 ms" in problem["detail"]
    assert "the latency objective leaves 200 ms" in problem["detail"]
    assert overloaded.gateway.services.memory.held == 0
    assert (await overloaded.post(43))[0] == 200


async def test_a_batch_is_refused_as_a_whole(overloaded: Overloaded) -> None:
    samples = {"samples": [asked(latitude) for latitude in (42, 43, 44)]}
    async with overloaded.gateway.client.post(f"{PATH}/batch", json=samples, headers=PATIENT) as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) >= 1


async def test_cached_fixes_health_readiness_and_metrics_are_answered_throughout(
    overloaded: Overloaded,
) -> None:
    status, _, headers = await overloaded.post(40)
    assert (status, headers["X-Cache"]) == (200, "hit")
    for path in ("/health", "/ready", "/metrics"):
        async with overloaded.gateway.client.get(path) as response:
            assert response.status == 200


async def test_it_recovers_by_itself(overloaded: Overloaded) -> None:
    assert (await overloaded.post(42))[0] == 503
    overloaded.triton.release.set()
    assert await overloaded.held == 200
    assert (await overloaded.post(42))[0] == 200


@pytest.mark.parametrize(("hits", "status"), [(0.0, b"503"), (0.5, b"")])
async def test_a_large_body_is_not_even_read_unless_its_fix_may_well_be_cached(
    overloaded: Overloaded, hits: float, status: bytes
) -> None:
    """The body is announced and never sent, so that only a refusal can come."""
    overloaded.gateway.services.predictor._locator._hits[ECHO] = hits
    host, port = overloaded.gateway.runner.addresses[0][:2]
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        f"POST {PATH}?dtype=f32_le HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
        "Content-Length: 3000000\r\nX-Request-Timeout-Ms: 60000\r\n\r\n".encode()
    )
    answer = asyncio.create_task(reader.readline())
    metrics = overloaded.gateway.services.metrics
    await until(lambda: answer.done() or metrics.in_progress == 2, within_s=30)
    if status:
        assert (await answer).split()[1] == status
    else:
        assert not answer.done()
        answer.cancel()
    writer.close()


@pytest.mark.parametrize(
    ("query", "hits", "refused"),
    [("&cache_enabled=false", 1.0, True), ("", 0.0, True), ("", 0.5, False)],
    ids=["not to be cached", "cached ones are rare", "may be cached"],
)
async def test_while_requests_are_refused_a_small_body_is_looked_at_only_for_a_cached_fix(
    overloaded: Overloaded, query: str, hits: float, refused: bool
) -> None:
    assert (await overloaded.post(42))[0] == 503
    overloaded.gateway.services.predictor._locator._hits[ECHO] = hits
    headers = PATIENT | {"Content-Type": "application/octet-stream"}
    url = f"{PATH}?dtype=f32_le{query}"
    async with overloaded.gateway.client.post(url, data=b"of no row's length", headers=headers) as response:
        assert response.status == (503 if refused else 400)


async def test_bytes_under_way_are_bounded(start_gateway: StartGateway, alone: Config) -> None:
    """What one client has sent leaves no room for another's body; when it has left, there is room again."""
    gateway = await start_gateway(changed(alone, max_queued_bytes=4 << 20, max_timeout_ms=600_000))
    host, port = gateway.runner.addresses[0][:2]
    head = (
        f"POST {PATH}?dtype=f32_le HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
        "Content-Length: 5000000\r\nX-Request-Timeout-Ms: 600000\r\n\r\n"
    ).encode()
    _, slow = await asyncio.open_connection(host, port)
    slow.write(head + bytes(3 << 20))
    await until(lambda: gateway.services.memory.held == 3 << 20, within_s=60)
    reader, other = await asyncio.open_connection(host, port)
    other.write(head + bytes(2 << 20))
    assert (await reader.readline()).split()[1] == b"503"
    slow.close()
    other.close()
    await until(lambda: gateway.services.memory.held == 0, within_s=60)


async def test_a_thread_that_still_parses_for_nobody_counts_with_its_body(
    start_gateway: StartGateway, alone: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else others would be let in behind threads that are not free, with more bodies than there may be."""
    gateway = await start_gateway(changed(alone, signal_threads=1))
    gateway.services.signal._observe("parse json", 400_000, 3.0)
    begun, gate = threading.Event(), threading.Event()

    def slow(*_: Any) -> None:
        begun.set()
        gate.wait(60)

    monkeypatch.setattr(predict_handlers, "parse_predict", slow)
    services, body = gateway.services, json.dumps(asked(42)).encode().ljust(400_000)
    headers = PATIENT | {"Content-Type": "application/json"}
    leaving = asyncio.create_task(post(gateway, PATH, data=body, headers=headers))
    await until(begun.is_set)
    leaving.cancel()  # which ends its connection
    await until(lambda: services.metrics.in_progress == 0)
    assert services.signal.wait_s == pytest.approx(3.0)
    assert services.memory.held == len(body)
    gate.set()
    await until(lambda: services.memory.held == 0)
    assert services.signal.wait_s == 0
