"""Recent localisations and feedback over real HTTP, with a real Redis and a real Triton."""

import asyncio
import uuid
from typing import Any

import msgspec
import numpy as np
import pytest
import redis
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families

from contract import keys
from contract.catalog import ServedVersion
from gateway.config import Config
from gateway.domain import Covariance
from gateway.kept import recent, remembered
from gateway.uncertainty.ellipse import radius, scale_at, standard_ellipse
from gateway.uncertainty.geodesy import destinations
from gateway.wire.identifier import uuid7
from tests.gateway import stand
from tests.gateway.conftest import ECHO, MEL, Gateway, StartGateway, announce, changed
from tests.gateway.waiting import until

NPY = {"Content-Type": "application/x-npy"}
RAW = {"Content-Type": "application/octet-stream"}
RECENT = "/api/v1/analytics/localizations/recent"
FIELDS = {
    "id", "session_id", "timestamp", "latitude", "longitude", "uncertainty_m", "confidence",
    "source_frequency_mhz", "snr_avg_db", "websdr_count",
}  # fmt: skip
SAMPLES = 24_000


def heard(seed: int, *, receivers: int = 3, snr: float = 100.0) -> NDArray[np.complex64]:
    """Noise, and a carrier in it."""
    carrier = 0.1 * np.sqrt(2 * 0.8 * snr) * np.exp(0.5j * np.arange(SAMPLES))
    both: NDArray[np.complex64] = stand.iq(seed, receivers=receivers, samples=SAMPLES)
    both += carrier.astype(np.complex64)
    return both


async def get(gateway: Gateway, path: str, status: int = 200) -> Any:
    """An answer of that status."""
    async with gateway.client.get(path) as response:
        assert response.status == status, await response.text()
        return await response.json()


async def predict(gateway: Gateway, recording: NDArray[np.complex64], query: str = "") -> Any:
    """A prediction."""
    async with gateway.client.post(f"/predict{query}", data=stand.npy(recording), headers=NPY) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def echo(gateway: Gateway, *, sigma: float = 100.0) -> Any:
    """A prediction at 45° N 9° E with a circular σ, metres."""
    row = np.array([45, 9, sigma, sigma, 0], np.float32)
    path = f"/models/{ECHO}/predict?dtype=f32_le"
    async with gateway.client.post(path, data=row.tobytes(), headers=RAW) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def tell(gateway: Gateway, prediction_id: str, east_m: float) -> tuple[int, Any]:
    """Tell that the source was that far to the east of 45° N 9° E."""
    lats, lons = destinations(45.0, 9.0, np.array([east_m, 0.0]), np.array([0.0, 0.0]))
    truth = {"id": prediction_id, "latitude": float(lats[0]), "longitude": float(lons[0])}
    async with gateway.client.post("/feedback", json=truth) as response:
        return response.status, await response.json()


async def listed(gateway: Gateway, count: int) -> Any:
    """The recent localisations, once there are that many."""

    async def enough() -> bool:
        return len(await get(gateway, RECENT)) >= count

    await until(enough)
    return await get(gateway, RECENT)


async def test_recent_localisations_are_real_predictions_newest_first(gateway: Gateway) -> None:
    first = await predict(gateway, heard(1), "?frequency_mhz=145.5&session_id=s1")
    again = await predict(gateway, heard(1), "?frequency_mhz=145.5")
    alone = await predict(gateway, heard(2, receivers=1), "?frequency_mhz=433")
    found = await listed(gateway, 3)
    assert [one["id"] for one in found] == [alone["id"], again["id"], first["id"]]
    assert all(set(one) == FIELDS for one in found)
    assert all(uuid.UUID(one["id"]) for one in found)
    assert [one["websdr_count"] for one in found] == [1, 3, 3]
    assert [one["source_frequency_mhz"] for one in found] == [433.0, 145.5, 145.5]
    assert [one["session_id"] for one in found] == ["unknown", "unknown", "s1"]
    assert found[2]["snr_avg_db"] == pytest.approx(20.0, abs=0.7)
    place = first["position"]
    assert (found[2]["latitude"], found[2]["longitude"]) == (place["latitude"], place["longitude"])
    assert (found[2]["confidence"], found[2]["timestamp"]) == (first["confidence"], first["timestamp"])
    assert first["ellipse"]["cep50_m"] < found[2]["uncertainty_m"] < first["ellipse"]["r95_m"]
    assert await get(gateway, f"{RECENT}?limit=1") == found[:1]


async def test_a_circles_uncertainty_is_its_68_percent_radius() -> None:
    circle = standard_ellipse(Covariance(1e4, 1e4, 0.0))
    assert radius(circle, 0.68) == pytest.approx(100 * scale_at(0.68), rel=1e-6)


async def test_what_lacks_a_value_is_left_out(gateway: Gateway) -> None:
    """No frequency; noise alone; the model's own tensor: none of them appears, a whole one does."""
    await predict(gateway, heard(1))
    await predict(gateway, stand.iq(3, samples=SAMPLES), "?frequency_mhz=145.5")
    row = np.array([45, 9, 100, 100, 0], np.float32).tobytes()
    path = f"/models/{ECHO}/predict?dtype=f32_le&frequency_mhz=145.5"
    async with gateway.client.post(path, data=row, headers=RAW) as response:
        assert response.status == 200
    whole = await predict(gateway, heard(4), "?frequency_mhz=145.5")
    assert [one["id"] for one in await listed(gateway, 1)] == [whole["id"]]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit=", "n=1"])
async def test_a_limit_is_a_whole_number_up_to_1000(gateway: Gateway, query: str) -> None:
    told = await get(gateway, f"{RECENT}?{query}", 400)
    assert "limit" in told["detail"]


async def test_too_many_at_once_are_left_out_and_counted(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "WAITING", 0)
    await predict(gateway, heard(1), "?frequency_mhz=145.5")
    assert gateway.services.recent is not None
    assert gateway.services.recent.dropped == 1
    async with gateway.client.get("/metrics") as response:
        assert "fixgate_recent_dropped_total 1.0" in await response.text()


async def test_entries_that_are_none_are_passed_over(gateway: Gateway, config: Config) -> None:
    with redis.Redis.from_url(config.redis_url) as client:
        client.xadd(recent.STREAM, {"localization": b"{}"})
        client.xadd(recent.STREAM, {"other": b"1"})
    assert await get(gateway, RECENT) == []


async def test_a_truth_is_held_against_its_prediction(gateway: Gateway) -> None:
    """σ 100 m and 150 m away: 1.5 σ, inside at 68 % and above."""
    made = await echo(gateway)
    status, found = await tell(gateway, made["id"], 150.0)
    assert status == 200
    assert (found["id"], found["model"], found["model_version"]) == (made["id"], ECHO, "1")
    assert found["error_m"] == pytest.approx(150.0, rel=1e-6)
    assert found["mahalanobis"] == pytest.approx(1.5, rel=1e-6)
    assert found["inside"] == {"0.5": False, "0.68": True, "0.9": True, "0.95": True}


async def test_truths_are_summed_by_version(
    gateway: Gateway, start_gateway: StartGateway, config: Config
) -> None:
    """Also those told to another gateway, at once; shown with the version and as metrics."""
    other = await start_gateway(config)
    await other.ready()
    for asked, east_m in ((gateway, 100.0), (other, 200.0), (gateway, 300.0)):
        made = await echo(gateway)
        assert (await tell(asked, made["id"], east_m))[0] == 200
    shown = (await get(gateway, f"/models/{ECHO}/versions/1"))["feedback"]
    assert shown["count"] == 3
    assert shown["mean_error_m"] == pytest.approx(200.0)
    assert shown["mean_nees"] == pytest.approx((1 + 4 + 9) / 3)
    assert shown["coverage"] == pytest.approx({"0.5": 1 / 3, "0.68": 1 / 3, "0.9": 2 / 3, "0.95": 2 / 3})
    async with gateway.client.get("/metrics") as response:
        text = await response.text()
    samples = {
        (one.name, one.labels.get("level"), one.labels.get("le")): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name.startswith("fixgate_feedback") and one.labels["model"] == ECHO
    }
    assert samples["fixgate_feedback_error_metres_count", None, None] == 2
    assert samples["fixgate_feedback_error_metres_bucket", None, "1000.0"] == 2
    assert samples["fixgate_feedback_error_metres_bucket", None, "30.0"] == 0
    assert samples["fixgate_feedback_coverage", "0.9", None] == pytest.approx(2 / 3)
    assert samples["fixgate_feedback_nees", None, None] == pytest.approx(14 / 3)
    assert "feedback" not in await get(gateway, f"/models/{MEL}/versions/1")


async def serve(gateway: Gateway, mel: stand.Model, *echoes: ServedVersion) -> None:
    """Have the mel model served from now on, and these versions of the echo model, if any."""
    others = [stand.served_model(*echoes, name=ECHO)] if echoes else []
    catalog = stand.catalogue(stand.served_model(mel.served(), name=MEL), *others, revision=2)
    stand.announce(gateway.services.config.redis_url, catalog, revision=2)
    await until(lambda: gateway.services.feed.revision == 2)


async def test_truths_about_another_sigma_scale_are_not_mixed_in(
    gateway: Gateway, models: dict[str, stand.Model]
) -> None:
    before = await echo(gateway)
    assert (await tell(gateway, before["id"], 100.0))[0] == 200
    late = await echo(gateway)
    await serve(gateway, models[MEL], models[ECHO].served(sigma_scale=2.0))
    assert "feedback" not in await get(gateway, f"/models/{ECHO}/versions/1")
    assert (await tell(gateway, late["id"], 100.0))[0] == 200
    assert "feedback" not in await get(gateway, f"/models/{ECHO}/versions/1")
    after = await echo(gateway)
    assert (await tell(gateway, after["id"], 100.0))[0] == 200
    shown = (await get(gateway, f"/models/{ECHO}/versions/1"))["feedback"]
    assert (shown["count"], shown["mean_nees"]) == (1, pytest.approx(0.25))


async def test_truths_about_a_corrected_contract_are_not_mixed_in(
    gateway: Gateway, models: dict[str, stand.Model]
) -> None:
    """The files are the same, but what was taken for metres is now known to be degrees."""
    wrong = await echo(gateway, sigma=0.01)
    assert (await tell(gateway, wrong["id"], 100.0))[0] == 200
    replace, contract = msgspec.structs.replace, models[ECHO].contract
    uncertainty = replace(contract.output.uncertainty, units="degrees")
    corrected = replace(contract, output=replace(contract.output, uncertainty=uncertainty))
    await serve(gateway, models[MEL], models[ECHO].served(contract=corrected))
    assert "feedback" not in await get(gateway, f"/models/{ECHO}/versions/1")
    right = await echo(gateway, sigma=0.01)
    assert (await tell(gateway, right["id"], 100.0))[0] == 200
    shown = (await get(gateway, f"/models/{ECHO}/versions/1"))["feedback"]
    assert (shown["count"], shown["coverage"]["0.5"]) == (1, 1.0)


async def test_a_version_that_is_no_longer_served_leaves_no_series_of_its_truths(
    gateway: Gateway, models: dict[str, stand.Model]
) -> None:
    async def told() -> str:
        async with gateway.client.get("/metrics") as response:
            return "\n".join(
                line for line in (await response.text()).splitlines() if line.startswith("fixgate_feedback")
            )

    made = await echo(gateway)
    assert (await tell(gateway, made["id"], 100.0))[0] == 200
    assert ECHO in await told()
    await serve(gateway, models[MEL])
    assert ECHO not in await told()


async def test_a_burst_of_truths_is_taken_while_commands_wait_for_sync(gateway: Gateway) -> None:
    """Each command holds a connection to Redis until sync answers, which is down."""
    made = [await echo(gateway) for _ in range(50)]
    waiting = [asyncio.create_task(gateway.client.post("/model/reload", json={})) for _ in range(20)]
    try:
        with redis.Redis.from_url(gateway.services.config.redis_url) as client:
            await until(lambda: client.xlen(keys.COMMANDS) >= 16)
        told = await asyncio.gather(*(tell(gateway, one["id"], 100.0) for one in made))
        assert [status for status, _ in told] == [200] * len(made)
        assert gateway.services.remembered is not None
        assert gateway.services.remembered.writer.dropped == 0
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def test_what_was_predicted_just_before_a_stop_is_remembered(
    gateway: Gateway, start_gateway: StartGateway, config: Config
) -> None:
    other = await start_gateway(config)
    await other.ready()
    made = await echo(gateway)
    await gateway.runner.cleanup()
    assert (await tell(other, made["id"], 100.0))[0] == 200


async def test_a_second_truth_is_a_conflict_and_counts_for_nothing(gateway: Gateway) -> None:
    made = await echo(gateway)
    assert (await tell(gateway, made["id"], 100.0))[0] == 200
    status, told = await tell(gateway, made["id"], 200.0)
    assert status == 409
    assert "told before" in told["detail"]
    assert (await get(gateway, f"/models/{ECHO}/versions/1"))["feedback"]["count"] == 1


async def test_an_unknown_or_expired_prediction_is_not_found(
    start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]
) -> None:
    announce(config, models)
    gateway = await start_gateway(changed(config, remember_s=1))
    await gateway.ready()
    status, told = await tell(gateway, str(uuid.uuid4()), 0.0)
    assert (status, "older than 1 s" in told["detail"]) == (404, True)
    made = await echo(gateway)
    with redis.Redis.from_url(config.redis_url) as client:
        await until(lambda: bool(client.exists(remembered.PACKS)))
        await until(lambda: not client.exists(remembered.PACKS))
    assert (await tell(gateway, made["id"], 0.0))[0] == 404


async def test_an_id_of_a_time_to_come_is_looked_for_no_longer_than_any_other(gateway: Gateway) -> None:
    """A client may make one up, and a clock may have been set back: it must not be waited for."""
    status, _ = await tell(gateway, "ffffffff-ffff-7000-8000-000000000000", 0.0)
    assert status == 404


async def test_only_the_newest_predictions_are_remembered(
    start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]
) -> None:
    announce(config, models)
    gateway = await start_gateway(changed(config, remember_count=2))
    await gateway.ready()
    made = [await echo(gateway) for _ in range(4)]
    assert gateway.services.remembered is not None
    writer = gateway.services.remembered.writer
    await until(lambda: not writer.pending)
    assert [(await tell(gateway, one["id"], 0.0))[0] for one in made] == [404, 404, 200, 200]
    with redis.Redis.from_url(config.redis_url) as client:
        assert client.zscore(remembered.PACKS, "held") == -2
        assert 0 < client.ttl(remembered.PACKS) <= 86_400


@pytest.mark.parametrize(
    ("truth", "says"),
    [
        ({"id": "x", "latitude": 91, "longitude": 0}, "latitude"),
        ({"id": "x", "latitude": 0, "longitude": 181}, "longitude"),
        ({"id": "x", "latitude": 0}, "longitude"),
        ({"id": "x", "latitude": "0", "longitude": 0}, "latitude"),
        ({"id": 1, "latitude": 0, "longitude": 0}, "id"),
        ({"id": "x", "latitude": 0, "longitude": 0, "altitude": 1}, "altitude"),
        ([], "object"),
    ],
)
async def test_a_truth_that_is_none_is_refused_by_name(gateway: Gateway, truth: Any, says: str) -> None:
    async with gateway.client.post("/feedback", json=truth) as response:
        assert response.status == 400
        assert says in (await response.json())["detail"]


async def test_remember_off_keeps_nothing_anywhere(
    start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]
) -> None:
    """Besides the cache of fixes and the counts of versions, which name neither session nor prediction."""
    announce(config, models)
    gateway = await start_gateway(changed(config, remember="off"))
    await gateway.ready()
    made = await predict(gateway, heard(1), "?frequency_mhz=145.5&session_id=secret")
    assert await get(gateway, RECENT) == []
    status, told = await tell(gateway, made["id"], 0.0)
    assert (status, "FIXGATE_REMEMBER is off" in told["detail"]) == (404, True)
    await until(lambda: not gateway.services.shared_cache.pending)
    await gateway.services.records.flush()
    with redis.Redis.from_url(config.redis_url) as client:
        kept: dict[str, Any] = {}
        for key in client.scan_iter():
            read = {b"string": client.get, b"hash": client.hgetall}[client.type(key)]
            kept[key.decode()] = read(key)
    counted = ("fixgate:fix:", "fixgate:catalog", "fixgate:record:")
    assert [key for key in kept if not key.startswith(counted)] == []
    assert "secret" not in repr(kept)
    assert made["id"] not in repr(kept)


async def test_without_redis_both_say_so(start_gateway: StartGateway, alone: Config) -> None:
    gateway = await start_gateway(alone)
    assert "Redis, which does not answer" in (await get(gateway, RECENT, 503))["detail"]
    status, told = await tell(gateway, uuid7(), 0.0)
    assert (status, "Redis, which does not answer" in told["detail"]) == (503, True)
    assert "feedback" not in await get(gateway, f"/models/{ECHO}/versions/1")
