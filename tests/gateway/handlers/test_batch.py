"""POST …/predict/batch over real HTTP, with a real Redis and a real Triton."""

from typing import Any

import numpy as np
import pytest

from gateway.config import Config
from tests.gateway import stand
from tests.gateway.conftest import ECHO, MEL, Gateway, StartGateway, announce, changed
from tests.gateway.handlers.test_predict import NPY, RECORDING, numbers, pairs, post, truth
from tests.gateway.triton.holding_triton import holding_triton


def rows(*latitudes: float) -> list[dict[str, Any]]:
    """Items that the echo model answers with these latitudes."""
    return [{"features": [latitude, 9, 100, 200, 0.5]} for latitude in latitudes]


async def echo(gateway: Gateway, **body: Any) -> tuple[int, dict[str, Any], Any]:
    """A batch for the echo model."""
    return await post(gateway, f"/models/{ECHO}/predict/batch", json=body)


@pytest.mark.parametrize("spelling", ["iq_samples", "samples", "predictions"])
async def test_every_item_gets_its_own_answer_in_order(
    gateway: Gateway, models: dict[str, stand.Model], spelling: str
) -> None:
    recordings = [stand.iq(seed) for seed in range(10)]
    items = [{"iq_data": pairs(one), "sample_id": f"s{i}"} for i, one in enumerate(recordings)]
    status, batch, headers = await post(gateway, "/predict/batch", json={spelling: items})
    assert status == 200, batch
    for answer, recording, item in zip(batch["predictions"], recordings, items, strict=True):
        assert numbers(answer) == pytest.approx(truth(models[MEL], recording), rel=1e-5, abs=1e-5)
        assert answer["sample_id"] == item["sample_id"]
    assert (headers["X-Model-Version"], headers["X-Cache"]) == ("1", "miss")


async def test_totals_are_those_of_the_batch(gateway: Gateway) -> None:
    await echo(gateway, samples=rows(1))
    status, batch, headers = await echo(gateway, samples=[*rows(1, 2, 3), {"features": [1]}])
    assert status == 200
    assert set(batch) == {
        "predictions", "batch_id", "batch_size", "successful", "failed", "total_time_ms",
        "samples_per_second", "cache_hit_rate",
    }  # fmt: skip
    assert (batch["batch_size"], batch["successful"], batch["failed"]) == (4, 3, 1)
    assert batch["cache_hit_rate"] == pytest.approx(1 / 3)
    assert batch["samples_per_second"] == pytest.approx(4e3 / batch["total_time_ms"], rel=1e-3)
    assert headers["X-Cache"] == "mixed"


async def test_a_failed_item_stands_in_its_place(gateway: Gateway) -> None:
    items = [*rows(1), {"features": [1], "sample_id": "short"}, *rows(91), {"nonsense": 1}, *rows(2)]
    _, batch, _ = await echo(gateway, samples=items)
    outcomes = [one.get("success", True) for one in batch["predictions"]]
    assert outcomes == [True, False, False, False, True]
    short, unusable, unparsed = (one for one in batch["predictions"] if "error" in one)
    assert (short["sample_id"], unusable["sample_id"], unparsed["sample_id"]) == ("short", "2", "3")
    assert [one["error"]["status"] for one in (short, unusable, unparsed)] == [400, 502, 400]
    assert set(short) == {"sample_id", "success", "error"}
    assert short["error"]["error"] == "invalid_input"
    assert short["error"]["instance"] == f"/models/{ECHO}/predict/batch"


async def test_a_batch_that_is_not_to_go_on_is_its_first_error(gateway: Gateway) -> None:
    status, problem, _ = await echo(gateway, samples=[*rows(1), {"features": [1]}], continue_on_error=False)
    assert (status, problem["error"]) == (400, "invalid_input")
    status, problem, _ = await echo(gateway, samples=rows(1, 91), continue_on_error=False)
    assert (status, problem["error"]) == (502, "bad_answer")


async def test_cached_items_are_hits(gateway: Gateway) -> None:
    await echo(gateway, samples=rows(1, 2))
    _, batch, headers = await echo(gateway, samples=rows(2, 1))
    assert (batch["cache_hit_rate"], headers["X-Cache"]) == (1.0, "hit")
    assert all(one["_cache_hit"] for one in batch["predictions"])
    _, batch, headers = await echo(gateway, samples=rows(2, 1), cache_enabled=False)
    assert (batch["cache_hit_rate"], headers["X-Cache"]) == (0.0, "bypass")


async def test_items_travel_together(
    start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]
) -> None:
    announce(config, models)
    async with holding_triton() as triton:
        triton.release.set()
        gateway = await start_gateway(changed(config, triton_grpc=(triton.address,)))
        await gateway.ready()
        await echo(gateway, samples=rows(*range(stand.MAX_BATCH)))
        assert triton.rows == [stand.MAX_BATCH]
        await echo(gateway, samples=rows(*range(stand.MAX_BATCH + 3)))
        assert triton.rows == [stand.MAX_BATCH, 3]


async def test_an_npy_batch_has_one_more_axis(gateway: Gateway, models: dict[str, stand.Model]) -> None:
    recordings = np.stack([stand.iq(seed) for seed in (1, 2)])
    _, batch, _ = await post(gateway, "/predict/batch", data=stand.npy(recordings), headers=NPY)
    for answer, recording in zip(batch["predictions"], recordings, strict=True):
        assert numbers(answer) == pytest.approx(truth(models[MEL], recording), rel=1e-5, abs=1e-5)
    status, problem, _ = await post(gateway, "/predict/batch", data=stand.npy(RECORDING), headers=NPY)
    assert status == 400, problem


@pytest.mark.parametrize("count", [0, 101])
async def test_too_few_or_too_many_items_are_refused(gateway: Gateway, count: int) -> None:
    status, problem, _ = await echo(gateway, samples=rows(*range(count)))
    assert (status, problem["field"]) == (400, "samples")
    assert "1 to 100 items" in problem["detail"]


async def test_a_hundred_items_are_answered(gateway: Gateway) -> None:
    latitudes = [i / 2 for i in range(100)]
    _, batch, _ = await echo(gateway, samples=rows(*latitudes))
    assert [one["position"]["latitude"] for one in batch["predictions"]] == latitudes


async def test_a_batch_can_be_pinned(gateway: Gateway) -> None:
    path = f"/models/{MEL}/versions/2/predict/batch"
    _, batch, headers = await post(gateway, path, json={"samples": [pairs(RECORDING)]})
    assert (batch["predictions"][0]["model_version"], headers["X-Model-Version"]) == ("2", "2")


async def test_geojson_holds_the_successful_ones(gateway: Gateway) -> None:
    accept = {"Accept": "application/geo+json"}
    body = {"samples": [*rows(1), {"features": [1]}, *rows(2)]}
    _, collection, _ = await post(gateway, f"/models/{ECHO}/predict/batch", json=body, headers=accept)
    points = [one["geometry"] for one in collection["features"] if one["geometry"]["type"] == "Point"]
    assert [point["coordinates"] for point in points] == [[9.0, 1.0], [9.0, 2.0]]


async def test_a_batch_out_of_time_is_a_504(
    start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]
) -> None:
    announce(config, models)
    async with holding_triton() as triton:
        gateway = await start_gateway(changed(config, triton_grpc=(triton.address,), batch_timeout_ms=100))
        await gateway.ready()
        status, problem, _ = await echo(gateway, samples=rows(1, 2))
        assert (status, problem["error"]) == (504, "deadline_exceeded")
        assert (triton.held, triton.cancelled) == (1, 0)
