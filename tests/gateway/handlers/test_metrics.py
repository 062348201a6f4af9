"""What a running gateway tells at /metrics: numbers that something in it has to be asked for."""

import asyncio
import platform
import re
import time
from importlib.metadata import version as version_of

import msgspec
import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from contract.catalog import Catalog, RoutePolicy
from contract.keys import FIXES
from gateway.config import Config
from gateway.triton.breaker import FAILURES
from gateway.turns import Turns
from tests.gateway import stand
from tests.gateway.conftest import ECHO, Gateway, StartGateway, changed
from tests.gateway.handlers.test_predict import post
from tests.gateway.triton.holding_triton import holding_triton
from tests.gateway.waiting import until

PATH = f"/models/{ECHO}/predict"
HOUR_S = 3600.0
CALLS = "fixgate_triton_call_duration_seconds"
HEIMDALL = {
    "inference_latency_ms", "preprocessing_latency_ms", "onnx_latency_ms", "cache_hits_total",
    "cache_misses_total", "cache_hit_rate", "inference_requests_total", "inference_errors_total",
    "model_reloads_total", "inference_active_requests", "model_loaded", "redis_memory_bytes",
}  # fmt: skip

Samples = dict[tuple[str, ...], float]
"""By name and then the labels' values, in the order of their names."""


async def scraped(gateway: Gateway) -> Samples:
    """All that it tells."""
    async with gateway.client.get("/metrics") as response:
        families = text_string_to_metric_families(await response.text())
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


async def predict(gateway: Gateway, latitude: int, timeout_ms: int = 60_000) -> int:
    """The status of an answer to a row of its own."""
    row, headers = {"features": [latitude, 9, 100, 200, 0.5]}, {"X-Request-Timeout-Ms": str(timeout_ms)}
    return (await post(gateway, PATH, json=row, headers=headers))[0]


def two_versions(*champions: int, revision: int, age_s: float) -> Catalog:
    """A catalogue of a model whose champion, to have three quarters, and candidate are these."""
    served = (stand.echo_model(ECHO).served(version=one, digest=str(one) * 64) for one in champions)
    model = stand.served_model(*served, name=ECHO, routing=RoutePolicy({"champion": 3, "candidate": 1}))
    return msgspec.structs.replace(stand.catalogue(model, revision=revision), written_at=time.time() - age_s)


async def test_the_catalogue_in_use_its_age_the_shares_and_every_change_of_a_champion(
    start_gateway: StartGateway, alone: Config, empty_redis: str
) -> None:
    gateway = await start_gateway(changed(alone, redis_url=empty_redis))

    async def follows(revision: int) -> Samples:
        stand.announce(empty_redis, two_versions(*order[revision], revision=revision, age_s=age_s[revision]))
        await until(lambda: gateway.services.feed.revision == revision)
        return await scraped(gateway)

    order = {7: (1, 2), 8: (1, 2), 9: (2, 1)}
    age_s = {7: 2 * HOUR_S, 8: 2 * HOUR_S, 9: 0.0}
    for revision in (7, 8):
        found = await follows(revision)
        assert found["fixgate_catalog_revision",] == revision
        assert 2 * HOUR_S <= found["fixgate_catalog_age_seconds",] < 20 * HOUR_S
        assert [found["fixgate_version_share", ECHO, one] for one in ("1", "2")] == [0.75, 0.25]
        assert ("fixgate_switches_total", ECHO) not in found
    found = await follows(9)
    assert 0 <= found["fixgate_catalog_age_seconds",] < HOUR_S
    assert [found["fixgate_version_share", ECHO, one] for one in ("1", "2")] == [0.25, 0.75]
    assert found["fixgate_switches_total", ECHO] == 1
    assert found["model_reloads_total",] == 1


async def test_whether_redis_tells_of_new_catalogues(
    start_gateway: StartGateway, alone: Config, empty_redis: str
) -> None:
    assert (await scraped(await start_gateway(alone)))["fixgate_catalog_following",] == 0
    gateway = await start_gateway(changed(alone, redis_url=empty_redis))

    async def follows() -> bool:
        return (await scraped(gateway))["fixgate_catalog_following",] == 1

    await until(follows)


async def test_a_breaker_from_the_first_failure_until_the_version_answers(
    start_gateway: StartGateway, alone: Config
) -> None:
    async with holding_triton(1) as triton:
        breaker = ("fixgate_breaker_open", ECHO, triton.address, "1")
        gateway = await start_gateway(changed(alone, triton_grpc=(triton.address,)))
        await gateway.ready()
        assert await predict(gateway, 0) == 200
        assert breaker not in await scraped(gateway)
        triton.broken = {1}
        for failure in range(1, FAILURES + 1):
            assert await predict(gateway, failure) == 502
            assert (await scraped(gateway))[breaker] == (failure == FAILURES)
        found = await scraped(gateway)
        assert found[f"{CALLS}_count", ECHO, "ok", "1"] == 1
        assert found[f"{CALLS}_count", ECHO, "BadAnswer", "1"] == FAILURES
        triton.broken = set()

        async def is_well() -> bool:
            return breaker not in await scraped(gateway)

        await until(is_well)
        assert await predict(gateway, FAILURES + 1) == 200


async def test_how_long_calls_took_and_how_many_rows_wait_for_one(
    start_gateway: StartGateway, alone: Config
) -> None:
    async with holding_triton() as triton:
        gateway = await start_gateway(changed(alone, triton_grpc=(triton.address,), calls_in_flight=1))
        await gateway.ready()
        assert (await scraped(gateway))["fixgate_rows_waiting",] == 0
        began = time.perf_counter()
        held = asyncio.create_task(predict(gateway, 0))
        await until(lambda: triton.held == 1)
        seen = time.perf_counter()
        waiting = [asyncio.create_task(predict(gateway, latitude)) for latitude in (1, 2, 3)]

        async def all_wait() -> bool:
            return (await scraped(gateway))["fixgate_rows_waiting",] == len(waiting)

        await until(all_wait)
        at_least = time.perf_counter() - seen
        triton.release.set()
        assert await asyncio.gather(held, *waiting) == [200] * 4
        at_most = time.perf_counter() - began
        found = await scraped(gateway)
        assert found["fixgate_rows_waiting",] == 0
        assert found[f"{CALLS}_count", ECHO, "ok", "1"] == 2
        assert at_least < found[f"{CALLS}_sum", ECHO, "ok", "1"] < at_most
        triton.release.clear()
        assert await predict(gateway, 4, timeout_ms=100) == 504

        async def is_given_up() -> bool:
            return (await scraped(gateway)).get((f"{CALLS}_count", ECHO, "cancelled", "1")) == 1

        await until(is_given_up)  # once it is overdue


async def test_look_ups_in_redis_by_what_they_found(
    start_gateway: StartGateway, alone: Config, empty_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one gateway has computed, another finds."""
    monkeypatch.setattr("gateway.cache.shared.ROUND_TRIP_S", 30.0)  # the machine may be busy, and no matter
    lookups = [("fixgate_cache_requests_total", *one) for one in (("redis", "hit"), ("redis", "miss"))]
    async with holding_triton(1) as triton:
        config = changed(alone, triton_grpc=(triton.address,), redis_url=empty_redis)
        for expected in ([0, 1], [1, 0]):
            gateway = await start_gateway(config)
            await gateway.ready()
            assert await predict(gateway, 0) == 200
            found = await scraped(gateway)
            assert [found[one] for one in lookups] == expected
            assert found["fixgate_cache_requests_total", "memory", "miss"] == 1
            assert found["fixgate_cache_shared_up",] == 1
            with redis.Redis.from_url(empty_redis) as client:
                await until(lambda: len(client.keys(f"{FIXES}*")) == 1)
    assert triton.rows == [1]


async def test_the_redis_cache_is_down_once_redis_has_failed_often_enough(
    start_gateway: StartGateway, alone: Config
) -> None:
    async with holding_triton(1) as triton:
        gateway = await start_gateway(changed(alone, triton_grpc=(triton.address,)))
        await gateway.ready()
        latitudes = iter(range(90))

        async def is_down() -> bool:
            assert await predict(gateway, next(latitudes)) == 200
            return (await scraped(gateway))["fixgate_cache_shared_up",] == 0

        assert (await scraped(gateway))["fixgate_cache_shared_up",] == 1
        await until(is_down)


async def test_what_runs_here_and_how_long_a_large_body_would_wait(
    start_gateway: StartGateway, alone: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start_gateway(alone)
    found = await scraped(gateway)
    assert found["fixgate_build_info", platform.python_version(), version_of("fixgate")] == 1
    assert found["fixgate_turn_wait_seconds",] == 0
    monkeypatch.setattr(Turns, "wait_s", 0.25)
    assert (await scraped(gateway))["fixgate_turn_wait_seconds",] == 0.25


@pytest.mark.parametrize(("option", "told"), [(None, HEIMDALL), ("off", set())])
async def test_heimdalls_names_are_there_unless_they_are_switched_off(
    start_gateway: StartGateway, alone: Config, empty_redis: str, option: str | None, told: set[str]
) -> None:
    options = {"heimdall_metrics": option} if option else {}
    gateway = await start_gateway(changed(alone, redis_url=empty_redis, **options))

    async def knows_redis() -> bool:
        return ("fixgate_redis_memory_bytes",) in await scraped(gateway)

    await until(knows_redis)
    names = {re.sub("_(bucket|count|sum)$", "", name) for name, *_ in await scraped(gateway)}
    assert names & HEIMDALL == told
