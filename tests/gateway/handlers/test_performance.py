"""How the default model fares, over real HTTP."""

from typing import Any

import numpy as np
import pytest

from tests.gateway import stand
from tests.gateway.conftest import Gateway

NPY = {"Content-Type": "application/x-npy"}
PERFORMANCE = {
    "inference_latency_ms", "p50_latency_ms", "p95_latency_ms", "p99_latency_ms",
    "throughput_samples_per_second", "cache_hit_rate", "success_rate", "predictions_total",
    "requests_total", "errors_total", "uptime_seconds",
}  # fmt: skip


async def get(gateway: Gateway, path: str) -> Any:
    """A good answer."""
    async with gateway.client.get(path) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def predict(gateway: Gateway, seed: int, path: str = "/predict") -> int:
    """Ask for a prediction; the status."""
    async with gateway.client.post(path, data=stand.npy(stand.iq(seed)), headers=NPY) as response:
        return response.status


async def test_every_number_of_performance_is_there_before_the_first_prediction(gateway: Gateway) -> None:
    found = await get(gateway, "/api/v1/analytics/model/performance")
    for name in PERFORMANCE:
        assert isinstance(found[name], int | float), name
    assert (found["window_predictions"], found["predictions_total"], found["success_rate"]) == (0, 0, 1.0)


async def test_performance_counts_what_happened(gateway: Gateway) -> None:
    """Percentiles are those of the answers' own times; a batch is one request."""
    times = []
    for seed in (1, 1, 2):
        async with gateway.client.post("/predict", data=stand.npy(stand.iq(seed)), headers=NPY) as response:
            times.append((await response.json())["inference_time_ms"])
    both = np.stack([stand.iq(3), stand.iq(4)])
    async with gateway.client.post("/predict/batch", data=stand.npy(both), headers=NPY) as response:
        times += [one["inference_time_ms"] for one in (await response.json())["predictions"]]
    assert await predict(gateway, 5, "/predict?confidence_level=2") == 400
    found = await get(gateway, "/model/performance")
    assert (found["requests_total"], found["errors_total"]) == (5, 1)
    assert (found["predictions_total"], found["predictions_successful"]) == (5, 5)
    assert (found["cache_hit_rate"], found["success_rate"], found["window_predictions"]) == (0.2, 1.0, 5)
    percentiles = [found[f"p{p}_latency_ms"] for p in (50, 95, 99)]
    assert percentiles == pytest.approx(np.percentile(times, [50, 95, 99]), abs=0.002)
    assert found["inference_latency_ms"] == pytest.approx(np.mean(times), abs=0.002)
    assert found["throughput_samples_per_second"] > 0


async def test_a_recording_that_fails_lowers_the_success_rate(gateway: Gateway) -> None:
    assert await predict(gateway, 1) == 200
    async with gateway.client.post(
        "/predict", data=stand.npy(stand.iq(1, receivers=2)), headers=NPY
    ) as response:
        assert response.status == 400
    found = await get(gateway, "/model/performance")
    assert (found["success_rate"], found["predictions_failed"], found["errors_total"]) == (0.5, 1, 1)
