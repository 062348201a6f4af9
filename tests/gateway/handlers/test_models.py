"""What is served and how it fares, over real HTTP."""

from typing import Any

import numpy as np
import pytest

from tests.gateway import stand
from tests.gateway.conftest import MEL, Gateway, StartGateway, announce, changed
from gateway.config import Config

NPY = {"Content-Type": "application/x-npy"}
INFO = {
    "active_version": str, "stage": str, "model_name": str, "loaded_at": str, "uptime_seconds": float,
    "is_ready": bool, "health_status": str, "name": str, "version": str, "created_at": str,
    "mlflow_run_id": str, "last_reloaded": str, "inference_count": int, "status": str, "accuracy": float,
    "predictions_total": int, "predictions_successful": int, "predictions_failed": int,
    "contract": dict, "digest": str, "contract_digest": str,
}  # fmt: skip
MEASURED = {
    "avg_latency_ms": float, "latency_p95_ms": float, "cache_hit_rate": float, "last_prediction_at": str,
}  # fmt: skip
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


async def test_what_was_not_measured_is_absent_from_the_information(gateway: Gateway) -> None:
    info = await get(gateway, "/model/info")
    assert not set(MEASURED) & set(info)
    assert None not in info.values()
    assert (info["predictions_total"], info["health_status"], info["is_ready"]) == (0, "healthy", True)


async def test_the_information_is_the_union_of_both_shapes(gateway: Gateway) -> None:
    for _ in range(2):
        assert await predict(gateway, 1) == 200
    info = await get(gateway, "/api/v1/analytics/model/info")
    for name, kind in (INFO | MEASURED).items():
        assert isinstance(info[name], kind), name
    assert (info["model_name"], info["active_version"], info["accuracy"]) == (MEL, "1", 0.9)
    assert (info["inference_count"], info["predictions_successful"], info["predictions_failed"]) == (2, 2, 0)
    assert info["cache_hit_rate"] == 0.5
    assert 0 < info["latency_p95_ms"]


async def test_every_number_of_performance_is_there_before_the_first_prediction(gateway: Gateway) -> None:
    found = await get(gateway, "/api/v1/analytics/model/performance")
    for name in PERFORMANCE:
        assert isinstance(found[name], int | float), name
    assert (found["window_predictions"], found["predictions_total"], found["success_rate"]) == (0, 0, 1.0)


async def test_performance_counts_what_happened(gateway: Gateway) -> None:
    """Percentiles are those of the answers' own times; a batch is one request; another model's are not ours."""
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


async def test_the_leading_version_is_the_active_one(gateway: Gateway) -> None:
    found = await get(gateway, "/model/versions")
    assert (found["model_name"], found["active_version"]) == (MEL, "1")
    assert [(one["version"], one["status"], one["stage"]) for one in found["versions"]] == [
        ("1", "ready", "champion"),
        ("2", "ready", "candidate"),
    ]


async def test_without_a_catalogue_there_is_nothing_to_tell(
    start_gateway: StartGateway, config: Config
) -> None:
    gateway = await start_gateway(config)
    for path in ("/model/info", "/model/performance", "/model/versions"):
        async with gateway.client.get(path) as response:
            assert response.status == 503
            assert "no catalogue yet" in (await response.json())["detail"]
