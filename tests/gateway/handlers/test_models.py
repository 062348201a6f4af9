"""What is served, over real HTTP: models, versions, and the default model as Heimdall's clients read it."""

from typing import Any

import pytest

from contract.catalog import RoutePolicy
from gateway.config import Config
from tests.gateway import stand
from tests.gateway.conftest import ECHO, IQ, MEL, Gateway, StartGateway
from tests.gateway.waiting import until

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


async def get(gateway: Gateway, path: str, status: int = 200) -> Any:
    """An answer of that status."""
    async with gateway.client.get(path) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def test_all_models_are_listed_with_their_versions(gateway: Gateway) -> None:
    found = await get(gateway, "/models")
    assert found["revision"] == 1
    listed = {one["name"]: [version["version"] for version in one["versions"]] for one in found["models"]}
    assert listed == {ECHO: ["1"], IQ: ["1"], MEL: ["1", "2"]}
    assert [one["name"] for one in found["models"] if one["default"]] == [MEL]
    assert next(one for one in found["models"] if one["name"] == MEL) == await get(gateway, f"/models/{MEL}")


async def test_a_version_tells_its_contract_and_digests(
    gateway: Gateway, models: dict[str, stand.Model]
) -> None:
    found = await get(gateway, f"/models/{MEL}/versions/1")
    served = models[MEL].served()
    assert (found["digest"], found["contract_digest"]) == (served.digest, served.contract.digest)
    assert found["contract"]["input"]["kind"] == "mel"
    assert (found["aliases"], found["share"], found["max_batch_size"]) == (["champion"], 1.0, stand.MAX_BATCH)
    assert found["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [3, 8, 4]}]


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/models/none", 404, 'no model "none"'),
        (f"/models/{MEL}/versions/9", 404, "no version 9"),
        (f"/models/{MEL}/versions/x", 400, "whole number"),
    ],
)
async def test_what_is_not_served_is_not_found(gateway: Gateway, path: str, status: int, says: str) -> None:
    assert says in (await get(gateway, path, status))["detail"]


async def test_what_is_not_known_is_absent(gateway: Gateway) -> None:
    info = await get(gateway, "/model/info")
    assert not set(MEASURED) & set(info)
    assert None not in info.values()
    assert (info["predictions_total"], info["health_status"], info["is_ready"]) == (0, "healthy", True)


async def test_model_info_has_the_fields_that_heimdalls_clients_read(gateway: Gateway) -> None:
    for _ in range(2):
        async with gateway.client.post("/predict", data=stand.npy(stand.iq(1)), headers=NPY) as response:
            assert response.status == 200
    info = await get(gateway, "/api/v1/analytics/model/info")
    for name, kind in (INFO | MEASURED).items():
        assert isinstance(info[name], kind), name
    assert (info["model_name"], info["active_version"], info["accuracy"]) == (MEL, "1", 0.9)
    assert (info["inference_count"], info["predictions_successful"], info["predictions_failed"]) == (2, 2, 0)
    assert info["cache_hit_rate"] == 0.5


async def test_the_active_version_has_the_largest_share(gateway: Gateway, config: Config) -> None:
    found = await get(gateway, "/model/versions")
    assert (found["model_name"], found["active_version"]) == (MEL, "1")
    assert [(one["version"], one["aliases"]) for one in found["versions"]] == [
        ("1", ["champion"]),
        ("2", ["candidate"]),
    ]
    current = gateway.services.feed.current
    assert current is not None
    weighted = stand.served_model(
        *current.models[MEL].versions, name=MEL, routing=RoutePolicy({"champion": 1, "candidate": 2})
    )
    stand.announce(config.redis_url, stand.catalogue(weighted, revision=2), revision=2)
    await until(lambda: gateway.services.feed.revision == 2)
    for path in ("/model/info", "/model/versions", "/model/performance"):
        assert (await get(gateway, path))["active_version"] == "2"


async def test_without_its_cache_the_gateway_is_degraded(gateway: Gateway) -> None:
    cache = gateway.services.shared_cache
    while cache.available:
        cache._failed(TimeoutError())
    assert (await get(gateway, "/model/info"))["health_status"] == "degraded"


async def test_before_there_is_a_catalogue_nothing_is_known(
    start_gateway: StartGateway, config: Config
) -> None:
    gateway = await start_gateway(config)
    paths = ("/models", f"/models/{MEL}", "/model/info", "/model/performance", "/model/versions")
    for path in paths:
        assert "no catalogue yet" in (await get(gateway, path, 503))["detail"]
