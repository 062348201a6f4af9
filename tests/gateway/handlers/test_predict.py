"""POST …/predict over real HTTP, with a real Redis and a real Triton."""

import asyncio
import gzip
import json
import uuid
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from aiohttp.test_utils import make_mocked_request
from numpy.typing import NDArray

from contract.model import MelInput
from gateway.config import Config
from gateway.handlers.predict import _wants_geojson
from gateway.recordings.frontend import MelFrontend
from tests.gateway import stand
from tests.gateway.conftest import ECHO, IQ, MEL, Gateway, StartGateway, announce, changed
from tests.gateway.triton.holding_triton import holding_triton
from tests.gateway.waiting import until
from tests.launch import free_ports

NPY = {"Content-Type": "application/x-npy"}
RAW = {"Content-Type": "application/octet-stream"}
RECORDING = stand.iq(1)
ROW = np.array([45, 9, 100, 200, 0.5], np.float32)


def pairs(recording: NDArray[np.complex64]) -> list[Any]:
    """IQ as JSON has it."""
    nested: list[Any] = recording.view(np.float32).reshape(*recording.shape, 2).tolist()
    return nested


def truth(model: stand.Model, recording: NDArray[np.complex64]) -> dict[str, float]:
    """The answer's numbers by the front-end and onnxruntime alone."""
    assert isinstance(model.contract.input, MelInput)
    row = MelFrontend(model.contract.input.frontend)(recording)
    (position,), ((north, east, rho),) = model.run(row[np.newaxis])
    return {"latitude": position[0], "longitude": position[1], "sigma_x": east, "sigma_y": north, "rho": rho}


def numbers(answer: dict[str, Any]) -> dict[str, float]:
    """The same numbers of an answer."""
    wanted = ("sigma_x", "sigma_y", "rho")
    return {**answer["position"], **{name: answer["uncertainty"][name] for name in wanted}}


async def post(gateway: Gateway, path: str, **request: Any) -> tuple[int, dict[str, Any], Any]:
    """Status, body and headers of an answer."""
    async with gateway.client.post(path, **request) as response:
        return response.status, await response.json(content_type=None), response.headers


async def test_an_answer_is_what_onnxruntime_says(gateway: Gateway, models: dict[str, stand.Model]) -> None:
    """npy, JSON and raw forms of one recording all give the model's own numbers, to 1e-5."""
    no_cache = {"iq_data": pairs(RECORDING), "cache_enabled": False}
    forms: list[tuple[str, dict[str, Any]]] = [
        ("/predict?cache_enabled=false", {"data": stand.npy(RECORDING), "headers": NPY}),
        (
            "/predict?dtype=cf32_le&receivers=3&cache_enabled=false",
            {"data": RECORDING.tobytes(), "headers": RAW},
        ),
        ("/predict", {"json": no_cache}),
        (f"/api/v1/inference/models/{MEL}/predict", {"json": no_cache}),
    ]
    for path, request in forms:
        status, answer, headers = await post(gateway, path, **request)
        assert status == 200, answer
        assert numbers(answer) == pytest.approx(truth(models[MEL], RECORDING), rel=1e-5, abs=1e-5)
        assert (answer["model"], answer["model_version"], headers["X-Model-Version"]) == (MEL, "1", "1")
        assert headers["X-Cache"] == "bypass"


async def test_an_answer_has_the_contracts_fields_and_no_others(gateway: Gateway) -> None:
    before = datetime.now().astimezone()
    _, answer, headers = await post(
        gateway, "/predict", json={"iq_data": pairs(RECORDING), "confidence_level": 0.95, "session_id": "s1"}
    )
    assert set(answer) == {
        "id", "position", "uncertainty", "ellipse", "confidence", "model", "model_version",
        "inference_time_ms", "timestamp", "session_id", "_cache_hit",
    }  # fmt: skip
    assert set(answer["position"]) == {"latitude", "longitude"}
    assert set(answer["uncertainty"]) == {"sigma_x", "sigma_y", "rho", "theta", "confidence_interval"}
    assert set(answer["ellipse"]) == {
        "semi_major_m", "semi_minor_m", "orientation_deg", "confidence_level", "area_m2", "cep50_m", "r95_m",
    }  # fmt: skip
    assert uuid.UUID(answer["id"]).version == 7
    assert answer["uncertainty"]["confidence_interval"] == answer["ellipse"]["confidence_level"] == 0.95
    assert answer["session_id"] == "s1"
    assert 0 <= answer["confidence"] <= 1
    assert answer["inference_time_ms"] > 0
    assert before <= datetime.fromisoformat(answer["timestamp"]) <= datetime.now().astimezone()
    assert [part.split(";")[0] for part in headers["Server-Timing"].split(", ")] == [
        "read", "parse", "cache", "frontend", "queue", "triton", "render",
    ]  # fmt: skip


async def test_iq_and_tensor_models_answer_too(gateway: Gateway, models: dict[str, stand.Model]) -> None:
    recording = stand.iq(3, receivers=2, samples=77)
    _, answer, _ = await post(gateway, f"/models/{IQ}/predict", data=stand.npy(recording), headers=NPY)
    rows = recording.view(np.float32).reshape(1, 2, 77, 2)
    (position,), _ = models[IQ].run(rows)
    assert answer["position"]["latitude"] == pytest.approx(position[0], rel=1e-5)
    status, answer, _ = await post(
        gateway, f"/models/{ECHO}/predict?dtype=f32_le", data=ROW.tobytes(), headers=RAW
    )
    assert status == 200
    assert answer["position"] == {"latitude": 45.0, "longitude": 9.0}
    assert answer["uncertainty"]["sigma_x"] == 200.0


async def test_all_forms_of_a_recording_share_an_entry(gateway: Gateway) -> None:
    first = await post(gateway, "/predict", data=stand.npy(RECORDING), headers=NPY)
    again = [
        await post(gateway, "/predict", json={"iq_data": pairs(RECORDING), "confidence_level": 0.9}),
        await post(gateway, "/predict?dtype=cf32_le&receivers=3", data=RECORDING.tobytes(), headers=RAW),
    ]
    assert (first[1]["_cache_hit"], first[2]["X-Cache"]) == (False, "miss")
    for _, answer, headers in again:
        assert (answer["_cache_hit"], headers["X-Cache"]) == (True, "hit")
        assert numbers(answer) == numbers(first[1])
        assert answer["id"] != first[1]["id"]


async def test_another_gateway_finds_the_fix_in_redis(
    gateway: Gateway, start_gateway: StartGateway, config: Config
) -> None:
    _, first, _ = await post(gateway, "/predict", data=stand.npy(RECORDING), headers=NPY)
    await until(lambda: gateway.services.shared_cache.pending == 0)
    other = await start_gateway(config)
    await other.ready()
    _, answer, headers = await post(other, "/predict", data=stand.npy(RECORDING), headers=NPY)
    assert headers["X-Cache"] == "hit"
    assert numbers(answer) == numbers(first)


async def test_versions_are_pinned_by_path_alias_or_header(
    gateway: Gateway, models: dict[str, stand.Model]
) -> None:
    """And no version is ever given the other's cached answer."""
    for path, header, version in [
        (f"/models/{MEL}/versions/2/predict", None, "2"),
        (f"/models/{MEL}/versions/1/predict", None, "1"),
        (f"/models/{MEL}/aliases/candidate/predict", None, "2"),
        (f"/models/{MEL}/aliases/champion/predict", None, "1"),
        ("/predict", "2", "2"),
        ("/predict", "candidate", "2"),
        (f"/models/{MEL}/versions/2/predict", "2", "2"),
        (f"/api/v1/inference/models/{MEL}/versions/2/predict", None, "2"),
    ]:
        pin = {"X-Model-Version": header} if header else {}
        status, answer, _ = await post(gateway, path, data=stand.npy(RECORDING), headers=NPY | pin)
        assert status == 200, answer
        assert answer["model_version"] == version
        model = models[MEL if version == "1" else f"{MEL}:2"]
        assert numbers(answer) == pytest.approx(truth(model, RECORDING), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("path", "headers", "status", "says"),
    [
        ("/models/nope/predict", {}, 404, f'no model "nope"; served: "{ECHO}", "{IQ}", "{MEL}"'),
        (f"/models/{MEL}/versions/9/predict", {}, 404, "no version 9; served: 1, 2"),
        (f"/models/{MEL}/aliases/nope/predict", {}, 404, 'no alias "nope"; aliases: "candidate", "champion"'),
        (f"/models/{MEL}/versions/one/predict", {}, 400, "version: must be a whole number"),
        (f"/models/{MEL}/versions/{'9' * 30}/predict", {}, 400, "version: must be a whole number"),
        (f"/models/{MEL}/versions/1/predict", {"X-Model-Version": "2"}, 400, "X-Model-Version: is"),
        ("/predict", {"X-Model-Version": "nope"}, 404, 'no alias "nope"'),
        (
            "/predict",
            {"X-Request-Timeout-Ms": "0"},
            400,
            "X-Request-Timeout-Ms: must be a whole number from 1 to",
        ),
        ("/predict", {"X-Request-Timeout-Ms": "60001"}, 400, "from 1 to 60000"),
        ("/predict", {"X-Request-Timeout-Ms": "1e3"}, 400, "X-Request-Timeout-Ms: must be a whole number"),
        ("/predict", {"Content-Type": "text/plain"}, 415, "Content-Type: must be one of application/json"),
        ("/predict", {"Content-Encoding": "br"}, 415, "Content-Encoding: must be one of"),
        ("/predict", {"Content-Encoding": "gzip"}, 400, "gzip"),
        ("/predict?sample_rate_hz=192000", {}, 400, "sample_rate_hz: this model takes 48000, got 192000"),
        ("/predict?confidence_level=1", {}, 400, "confidence_level: must be a number above 0 and below 1"),
        ("/predict?unknown=1", {}, 400, 'unknown query parameter "unknown"'),
    ],
)
async def test_what_cannot_be_answered_is_a_problem_that_says_why(
    gateway: Gateway, path: str, headers: dict[str, str], status: int, says: str
) -> None:
    got, problem, answered = await post(gateway, path, data=stand.npy(RECORDING), headers=NPY | headers)
    assert got == status, problem
    assert says in problem["detail"]
    assert answered["Content-Type"] == "application/problem+json"
    assert set(problem) - {"field"} == {
        "type", "title", "status", "detail", "instance", "error", "message", "timestamp", "request_id",
    }  # fmt: skip
    assert (problem["status"], problem["message"]) == (status, problem["detail"])
    assert (problem["instance"], problem["request_id"]) == (path.partition("?")[0], answered["X-Request-Id"])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"{", "JSON"),
        (b"[]", "object"),
        (b"{}", "exactly one of iq_data, features"),
        (b'{"iq_data": [[0.1, 0.2]], "extra": 1}', 'unknown field "extra"'),
        (json.dumps({"iq_data": pairs(stand.iq(1, samples=63))}).encode(), "63 samples"),
        (json.dumps({"iq_data": pairs(stand.iq(1, receivers=2))}).encode(), "2 receivers"),
        (json.dumps({"iq_data": [[[0.1, 0.2], [0.3]]] * 3}).encode(), "iq_data"),
        (b'{"iq_data": [[NaN, 0.2]]}', "JSON"),
        (b'{"iq_data": [[1e999, 0.2]]}', "iq_data[0][0]: inf is not finite"),
        (json.dumps({"features": [1, 2, 3]}).encode(), "features: shape (3)"),
    ],
    ids=[
        "empty",
        "cut",
        "array",
        "nothing",
        "unknown",
        "short",
        "receivers",
        "ragged",
        "nan",
        "huge",
        "shape",
    ],
)
async def test_a_wrong_body_is_a_400_that_names_what_is_wrong(
    gateway: Gateway, body: bytes, says: str
) -> None:
    status, problem, _ = await post(
        gateway, "/predict", data=body, headers={"Content-Type": "application/json"}
    )
    assert status == 400, problem
    assert says in problem["detail"]


async def test_non_finite_samples_are_refused(gateway: Gateway) -> None:
    recording = RECORDING.copy()
    recording[1, 7] = complex(np.inf, 0)
    status, problem, _ = await post(gateway, "/predict", data=stand.npy(recording), headers=NPY)
    assert (status, problem["field"]) == (400, "npy[1][7]")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_a_413_that_names_it(
    gateway: Gateway, start_gateway: StartGateway, config: Config, chunked: bool
) -> None:
    small = await start_gateway(changed(config, max_body_bytes=2048))
    await small.ready()
    body: Any = bytes(2049)
    if chunked:

        async def parts() -> Any:
            for _ in range(3):
                yield bytes(1000)

        body = parts()
    status, problem, _ = await post(small, "/predict", data=body, headers=NPY)
    assert status == 413
    assert "2,048 bytes" in problem["detail"] or "2,048 are allowed" in problem["detail"]


async def test_the_limit_counts_decoded_bytes(
    start_gateway: StartGateway, config: Config, gateway: Gateway
) -> None:
    small = await start_gateway(changed(config, max_body_bytes=2048))
    await small.ready()
    bomb = gzip.compress(bytes(10_000_000))
    assert len(bomb) > 2048
    status, _, _ = await post(
        gateway,
        "/predict",
        data=gzip.compress(stand.npy(RECORDING)),
        headers=NPY | {"Content-Encoding": "gzip"},
    )
    assert status == 200
    for payload in (gzip.compress(bytes(4096)), bomb):
        status, problem, _ = await post(
            small, "/predict", data=payload, headers=NPY | {"Content-Encoding": "gzip"}
        )
        assert (status, problem["error"]) == (413, "too_large")


async def test_an_unusable_answer_is_a_502(gateway: Gateway) -> None:
    for row, says in [
        ([91, 9, 100, 200, 0.5], "latitude is 91"),
        ([45, 9, -1, 200, 0.5], "σ north is -1"),
        ([45, 9, 100, 200, 1.5], "ρ is 1.5"),
    ]:
        status, problem, _ = await post(gateway, f"/models/{ECHO}/predict", json={"features": row})
        assert (status, problem["error"]) == (502, "bad_answer")
        assert says in problem["detail"]


async def test_geojson_comes_beside_the_answer_or_alone(gateway: Gateway) -> None:
    _, answer, _ = await post(gateway, "/predict", json={"iq_data": pairs(RECORDING), "geojson": True})
    assert [one["geometry"]["type"] for one in answer["geojson"]["features"]] == ["Point", "Polygon"]
    accept = {"Accept": "application/geo+json"}
    _, alone, headers = await post(gateway, "/predict", json={"iq_data": pairs(RECORDING)}, headers=accept)
    assert headers["Content-Type"] == "application/geo+json"
    assert alone["type"] == "FeatureCollection"
    assert headers["X-Cache"] == "hit"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("application/geo+json", True),
        ("Application/Geo+JSON", True),
        ("application/json;q=0.5, application/geo+json; charset=utf-8 ;q=0.001", True),
        ("application/json, application/geo+json;q=0", False),
        ("application/geo+json; Q=0.000 , application/json", False),
        ("application/geo+json-seq", False),
        ("application/geo+json-seq, application/geo+json", True),
        ("application/json;profile=application/geo+json", False),
    ],
)
def test_geojson_alone_is_for_who_names_it_and_does_not_refuse_it(accept: str, wanted: bool) -> None:
    request = make_mocked_request("POST", "/predict", headers={"Accept": accept})
    assert _wants_geojson(request) is wanted


async def test_predictions_go_on_without_redis(
    start_gateway: StartGateway, config: Config, gateway: Gateway
) -> None:
    """The catalogue comes from the snapshot; the cache is this process's memory."""
    await until(config.snapshot.exists)
    alone = await start_gateway(changed(config, redis_url=f"redis://127.0.0.1:{free_ports(1)[0]}"))
    await alone.ready()
    found = [
        (await post(alone, "/predict", data=stand.npy(stand.iq(seed)), headers=NPY))[2]["X-Cache"]
        for seed in (1, 2, 3, 4, 1)
    ]
    assert found == ["miss", "miss", "miss", "miss", "hit"]


async def test_identical_concurrent_requests_share_one_call(
    start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]
) -> None:
    announce(config, models)
    async with holding_triton() as triton:
        gateway = await start_gateway(changed(config, triton_grpc=(triton.address,)))
        await gateway.ready()
        asked = [
            asyncio.create_task(post(gateway, f"/models/{ECHO}/predict", json={"features": ROW.tolist()}))
            for _ in range(4)
        ]
        await until(lambda: triton.held == 1)
        flights = gateway.services.predictor._locator._flights._flights
        await until(lambda: [len(flight.waiting) for flight in flights.values()] == [4])
        triton.release.set()
        headers = [headers["X-Cache"] for _, _, headers in await asyncio.gather(*asked)]
    assert sorted(headers) == ["coalesced", "coalesced", "coalesced", "miss"]


async def test_out_of_time_is_a_504_that_says_where_the_time_went(
    start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]
) -> None:
    announce(config, models)
    async with holding_triton() as triton:
        gateway = await start_gateway(changed(config, triton_grpc=(triton.address,)))
        await gateway.ready()
        status, problem, _ = await post(
            gateway,
            f"/models/{ECHO}/predict",
            json={"features": ROW.tolist()},
            headers={"X-Request-Timeout-Ms": "100"},
        )
        assert (status, problem["error"]) == (504, "deadline_exceeded")
        assert "out of time in triton; spent: " in problem["detail"]
        assert triton.held == 1
        triton.release.set()
        await until(lambda: triton.held == 0)
        assert triton.cancelled == 0


async def test_a_client_that_leaves_is_let_go_but_its_call_at_triton_is_not_cancelled(
    start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]
) -> None:
    announce(config, models)
    async with holding_triton() as triton:
        gateway = await start_gateway(changed(config, triton_grpc=(triton.address,)))
        await gateway.ready()
        asked = asyncio.create_task(post(gateway, f"/models/{ECHO}/predict", json={"features": ROW.tolist()}))
        await until(lambda: triton.held == 1)
        asked.cancel()

        async def is_counted() -> bool:
            async with gateway.client.get("/metrics") as response:
                return 'status="499"' in await response.text()

        await until(is_counted)
        assert triton.held == 1
        triton.release.set()
        await until(lambda: triton.held == 0)
        assert triton.cancelled == 0


async def test_triton_away_is_a_503_with_retry_after(
    start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]
) -> None:
    announce(config, models)
    gateway = await start_gateway(changed(config, triton_grpc=(f"127.0.0.1:{free_ports(1)[0]}",)))
    await until(lambda: gateway.services.feed.current is not None)
    status, problem, headers = await post(gateway, "/predict", data=stand.npy(RECORDING), headers=NPY)
    assert (status, problem["error"], headers["Retry-After"]) == (503, "unavailable", "1")
    assert f'"{MEL}" version 1' in problem["detail"]


async def test_a_body_that_does_not_come_is_a_408(gateway: Gateway) -> None:
    host, port = gateway.runner.addresses[0][:2]
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-npy\r\n"
        b"X-Request-Timeout-Ms: 100\r\nContent-Length: 1000\r\n\r\nhalf"
    )
    status_line = await reader.readline()
    writer.close()
    assert status_line.startswith(b"HTTP/1.1 408 ")


async def test_a_body_whose_framing_breaks_gets_a_4xx_within_its_time(gateway: Gateway) -> None:
    """aiohttp does not tell the handler, so it is the deadline that ends it."""
    host, port = gateway.runner.addresses[0][:2]
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-npy\r\n"
        b"X-Request-Timeout-Ms: 200\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
    )
    await until(lambda: gateway.services.metrics.in_progress == 1)
    writer.write(b"not a length\r\n")
    status_line = await reader.readline()
    writer.close()
    assert status_line.startswith(b"HTTP/1.1 4")
