"""Health, readiness and metrics over real HTTP; a gateway that starts before everything else."""

from prometheus_client.parser import text_string_to_metric_families

from gateway.config import Config
from tests.gateway import stand
from tests.gateway.conftest import MEL, Gateway, StartGateway, announce, changed
from tests.gateway.handlers.test_predict import NPY, RECORDING, post
from tests.gateway.waiting import until
from tests.launch import Triton, free_ports


async def get(gateway: Gateway, path: str) -> tuple[int, dict[str, object]]:
    """Status and body."""
    async with gateway.client.get(path) as response:
        return response.status, await response.json(content_type=None)


async def test_a_process_that_answers_is_healthy_whatever_is_missing(
    start_gateway: StartGateway, config: Config
) -> None:
    gateway = await start_gateway(changed(config, redis_url=f"redis://127.0.0.1:{free_ports(1)[0]}"))
    status, document = await get(gateway, "/health")
    assert (status, document["status"]) == (200, "healthy")


async def test_not_ready_names_what_is_missing_until_it_is_there(
    start_gateway: StartGateway, config: Config, triton: Triton
) -> None:
    """Nothing there; then a catalogue; then the version in Triton: ready without being told."""
    late = stand.mel_model("gateway-late", 1)
    gateway = await start_gateway(config)
    for path in ("/ready", "/startup", "/api/v1/inference/ready"):
        async with gateway.client.get(path) as response:
            problem = await response.json(content_type=None)
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
    assert "the catalogue: none in Redis yet" in problem["detail"]
    stand.announce(config.redis_url, stand.catalogue(stand.served_model(late.served(), name=late.name)))

    async def names_the_version() -> bool:
        _, problem = await get(gateway, "/ready")
        return 'model "gateway-late" version 1: not ready in Triton' in str(problem["detail"])

    await until(names_the_version)
    status, document = await get(gateway, "/health/detailed")
    assert (status, document["ready"], document["status"]) == (503, False, "unhealthy")
    stand.publish(triton, late)
    await gateway.ready()
    assert (await get(gateway, "/startup"))[0] == 200
    status, _, _ = await post(gateway, "/predict", data=stand.npy(RECORDING), headers=NPY)
    assert status == 200
    stand.withdraw(triton, late.name)

    async def is_unready() -> bool:
        return (await get(gateway, "/ready"))[0] == 503

    await until(is_unready)
    assert (await get(gateway, "/startup"))[0] == 200


async def test_only_the_routed_versions_need_to_be_ready(
    start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]
) -> None:
    served = models[MEL].served()
    missing = models[MEL].served(version=9)
    stand.announce(config.redis_url, stand.catalogue(stand.served_model(served, missing, name=MEL)))
    gateway = await start_gateway(config)
    await gateway.ready()


async def test_the_configured_default_model_is_the_one_that_counts(
    start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]
) -> None:
    announce(config, models)
    gateway = await start_gateway(changed(config, default_model="not-there-yet"))
    await until(lambda: gateway.services.feed.current is not None)
    await gateway.services.readiness.check()
    _, problem = await get(gateway, "/ready")
    assert 'model "not-there-yet": the catalogue does not have it yet' in str(problem["detail"])


async def test_every_dependency_is_named(gateway: Gateway) -> None:
    status, document = await get(gateway, "/health/detailed")
    assert (status, document["status"], document["missing"]) == (200, "healthy", [])
    dependencies = document["dependencies"]
    assert isinstance(dependencies, dict)
    assert dependencies["catalogue"]["source"] == "redis"
    assert dependencies["redis_cache"] == {"status": "up"}
    assert [one["status"] for one in dependencies["triton"]] == ["up"]


async def test_a_draining_gateway_is_not_ready_but_answers(gateway: Gateway) -> None:
    for path in ("/ready", "/startup"):
        assert (await get(gateway, path))[0] == 200
    gateway.services.readiness.draining = True
    for path in ("/ready", "/startup"):
        status, problem = await get(gateway, path)
        assert (status, problem["detail"]) == (503, "draining: this gateway is about to stop")
    status, _, _ = await post(gateway, "/predict", data=stand.npy(RECORDING), headers=NPY)
    assert status == 200


async def test_metrics_count_what_happened(gateway: Gateway) -> None:
    for _ in range(3):
        await post(gateway, "/predict", data=stand.npy(RECORDING), headers=NPY)
    await post(gateway, "/predict", data=b"garbage", headers=NPY)
    await post(gateway, f"/models/{MEL}/predict", json={"features": [1.0]})
    async with gateway.client.get("/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        text = await response.text()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["fixgate_predictions_total", "miss", MEL, "1"] == 1
    assert samples["fixgate_predictions_total", "hit", MEL, "1"] == 2
    assert samples["fixgate_prediction_failures_total", "InvalidInput", MEL, "1"] == 1
    assert samples["fixgate_request_duration_seconds_count", MEL, "ok", "/predict", "1"] == 3
    assert samples["fixgate_request_duration_seconds_count", MEL, "InvalidInput", "/predict", ""] == 1
    assert samples["fixgate_cache_requests_total", "memory", "hit"] == 2
    assert samples["fixgate_triton_call_rows_sum", MEL, "1"] == 1
    assert samples["fixgate_version_ready", MEL, "1"] == 1
    assert samples["inference_requests_total",] == 5
    assert samples["fixgate_http_requests_total", "POST", "/predict", "200"] == 3
    assert samples["fixgate_http_requests_total", "POST", "/predict", "400"] == 1
    assert samples["fixgate_stage_duration_seconds_count", "triton"] == 1
    assert samples["fixgate_catalog_revision",] == 1
    assert samples["fixgate_ready",] == 1
    assert samples["fixgate_http_requests_in_progress",] == 1
