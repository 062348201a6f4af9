"""POST /predict and its relatives, over real HTTP, with a real Redis and a real Triton."""

import numpy as np
import pytest

from gateway.frontend import MelFrontend
from tests.gateway import stand
from tests.gateway.conftest import MEL, Gateway

NPY = {"Content-Type": "application/x-npy"}
CF32 = {"Content-Type": "application/octet-stream"}


def truth(model: stand.Model, recording: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position and (σ north, σ east, ρ) by the front-end and onnxruntime alone."""
    row = MelFrontend(model.contract.input.frontend)(recording)
    positions, uncertainties = model.run(row[np.newaxis])
    return positions[0], uncertainties[0]


async def test_an_answer_is_what_onnxruntime_says(gateway: Gateway, models: dict[str, stand.Model]) -> None:
    """npy, JSON and cf32 forms of one recording all give the model's own numbers, to 1e-5."""
    recording = stand.iq(1)
    position, (sigma_north, sigma_east, rho) = truth(models[MEL], recording)
    pairs = recording.view(np.float32).reshape(3, -1, 2).tolist()
    forms = [
        {"url": "/predict?cache_enabled=false", "data": stand.npy(recording), "headers": NPY},
        {
            "url": "/predict?dtype=cf32_le&receivers=3&cache_enabled=false",
            "data": recording.tobytes(),
            "headers": CF32,
        },
        {"url": "/predict", "json": {"iq_data": pairs, "cache_enabled": False}},
        {
            "url": f"/api/v1/inference/models/{MEL}/predict",
            "json": {"iq_data": pairs, "cache_enabled": False},
        },
    ]
    for form in forms:
        async with gateway.client.post(**form) as response:
            assert response.status == 200, await response.text()
            answer = await response.json()
        assert [answer["position"]["latitude"], answer["position"]["longitude"]] == pytest.approx(
            position, rel=1e-5
        )
        uncertainty = answer["uncertainty"]
        assert uncertainty["sigma_x"] == pytest.approx(sigma_east, rel=1e-5)
        assert uncertainty["sigma_y"] == pytest.approx(sigma_north, rel=1e-5)
        assert uncertainty["rho"] == pytest.approx(rho, rel=1e-5, abs=1e-5)
        assert answer["model_version"] == "1"
        assert answer["_cache_hit"] is False
        assert response.headers["X-Cache"] == "bypass"
