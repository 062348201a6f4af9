"""The whole job on real parts: a model registered in MLflow answers through the gateway."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnxruntime
import pytest
import redis

from contract import keys, model
from demo import shipped
from gateway.recordings.frontend import MelFrontend
from tests.launch import Triton
from tests.planes import REPOSITORY, Parts, gateway_plane, sync_plane

pytestmark = pytest.mark.stack

NAME = "end-to-end"
CHAMPION = shipped.VERSIONS[0]
PATIENCE_S = 60


@pytest.fixture(scope="module")
def parts(redis_url: str, mlflow_uri: str, triton: Triton, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    with redis.Redis.from_url(redis_url) as client:
        client.delete(keys.CATALOG)
    return Parts(redis_url, mlflow_uri, triton, tmp_path_factory.mktemp("planes"))


@pytest.fixture(scope="module")
def gateway(parts: Parts) -> Iterator[str]:
    """A gateway that started before there was a model, and became ready by itself."""
    with gateway_plane(parts, {"FIXGATE_DEFAULT_MODEL": NAME}) as url:
        status, problem = _get(url, "/ready")
        assert status == 503
        assert "catalogue" in problem["detail"]
        _register(parts, "champion")
        with sync_plane(parts, {"FIXGATE_MODELS": NAME, "FIXGATE_DEFAULT_MODEL": NAME}):
            wait_until_ready(url)
            yield url


def test_an_answer_equals_onnxruntime_on_the_same_file(gateway: str) -> None:
    iq = np.load(shipped.SAMPLES / "00.npy")
    answer = _predict(gateway, (shipped.SAMPLES / "00.npy").read_bytes(), "application/x-npy")
    contract = model.parse(CHAMPION.contract.read_bytes())
    assert isinstance(contract.input, model.MelInput)
    row = MelFrontend(contract.input.frontend)(iq)[None]
    session = onnxruntime.InferenceSession(str(CHAMPION.model))
    names = [contract.output.position.tensor, contract.output.uncertainty.tensor]
    position, uncertainty = session.run(names, {contract.input.tensor: row})
    scale = contract.output.uncertainty.sigma_scale
    north, east, rho = uncertainty[0] * [scale, scale, 1]
    expected = [*position[0], east, north, rho]
    got = [
        answer["position"]["latitude"],
        answer["position"]["longitude"],
        *(answer["uncertainty"][key] for key in ("sigma_x", "sigma_y", "rho")),
    ]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert answer["model"] == NAME
    assert answer["model_version"] == "1"


def test_every_form_of_one_recording_has_one_answer_and_one_cache_entry(gateway: str) -> None:
    iq = np.load(shipped.SAMPLES / "01.npy")
    pairs = np.stack([iq.real, iq.imag], axis=-1).tolist()
    forms = [
        ((shipped.SAMPLES / "01.npy").read_bytes(), "application/x-npy", ""),
        (json.dumps({"iq_data": pairs}).encode(), "application/json", ""),
        (iq.tobytes(), "application/octet-stream", "?dtype=cf32_le&receivers=3"),
    ]
    answers = [_predict(gateway, body, media, query) for body, media, query in forms]
    assert len({json.dumps(answer["ellipse"]) for answer in answers}) == 1
    assert [answer["_cache_hit"] for answer in answers] == [False, True, True]


def test_a_request_with_too_few_samples_is_told_how_many_are_needed(gateway: str) -> None:
    body = json.dumps({"iq_data": [[[0.5, 0.5]] * 100] * 3}).encode()
    with pytest.raises(urllib.error.HTTPError) as raised:
        _predict(gateway, body, "application/json")
    problem = json.load(raised.value)
    assert raised.value.code == 400
    assert "2048" in problem["detail"].replace(",", "")


def _register(parts: Parts, alias: str) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "cli", "register", str(CHAMPION.model), "--name", NAME),
            *("--contract", str(CHAMPION.contract), "--alias", alias, "--mlflow-uri", parts.mlflow_uri),
        ],
        cwd=REPOSITORY,
        check=True,
        timeout=PATIENCE_S,
    )


def wait_until_ready(url: str, path: str = "/ready") -> None:
    """Until a GET of `path` is answered with 200."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        status, answer = _get(url, path)
        if status == 200:
            return
        if time.monotonic() > deadline:
            pytest.fail(f"not ready: {answer}")
        time.sleep(0.1)


def _get(url: str, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url + path, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def _predict(url: str, body: bytes, media: str, query: str = "") -> Any:
    request = urllib.request.Request(f"{url}/predict{query}", body, {"Content-Type": media})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)
