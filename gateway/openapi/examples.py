"""Examples of answers, made by the code that makes real ones."""

from typing import Any

import numpy as np

from contract.catalog import ServedModel, ServedVersion, TensorSpec
from contract.model import parse
from gateway.domain import Covariance, Fix, Options
from gateway.errors import InvalidInput
from gateway.prediction import Prediction, derive
from gateway.telemetry.counters import ModelCount
from gateway.wire import geojson
from gateway.wire.model_document import (
    info_document,
    model_document,
    performance_document,
    version_document,
)
from gateway.wire.problem import problem
from gateway.wire.response import batch_document, failed_item, prediction_document

AT = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""

REQUEST_ID = "0197c2d4-6f1e-7c3a-9b55-0d6c3f1c2a10"

_SIGMA_EAST, _SIGMA_NORTH, _RHO = 812.0, 640.0, 0.434
_FIX = Fix(45.1, 7.6, Covariance(_SIGMA_EAST**2, _SIGMA_NORTH**2, _RHO * _SIGMA_EAST * _SIGMA_NORTH))
_PREDICTION = Prediction(
    id="0197c2d4-6f1e-7c3a-8d10-3b1f0c9e5a77",
    model="localization",
    version=3,
    derived=derive(_FIX, sigma_scale=1.0, level=0.68, radius_m=1000.0),
    options=Options(session_id="van-7"),
    cache="miss",
    inference_time_ms=4.2,
    at=AT,
)
_FAILED = failed_item(
    "1",
    {
        **problem(
            InvalidInput("nan is not finite", field="iq_samples[1][0][17]"),
            instance="/predict/batch",
            request_id=REQUEST_ID,
        ),
        "timestamp": "2026-01-01T00:00:00.000Z",
    },
)
_CONTRACT = parse(
    {
        "schema": 1,
        "input": {"tensor": "mel_spectrogram", "kind": "mel", "receivers": 3, "frontend": {}},
        "output": {
            "position": {"tensor": "positions", "order": ["latitude", "longitude"]},
            "uncertainty": {
                "tensor": "uncertainties",
                "kind": "sigma_rho",
                "units": "metres",
                "order": ["north", "east"],
            },
        },
    }
)
_VERSION = ServedVersion(
    version=3,
    digest="5d41" * 16,
    contract=_CONTRACT,
    sigma_scale=1.0,
    max_batch_size=32,
    inputs=(TensorSpec("mel_spectrogram", "FP32", (3, 128, 32)),),
    outputs=(TensorSpec("positions", "FP32", (2,)), TensorSpec("uncertainties", "FP32", (3,))),
    served_since=AT - 86_400,
    created_at=AT - 90_000,
    run_id="8e3f0c6f4d7b4a0f9f6d8f0f2b1a7c55",
    metrics={"accuracy": 0.91},
    latency_ms={"1": 1.9, "32": 21.0},
)
_MODEL = ServedModel("localization", (_VERSION,), {"champion": 3})
_COUNT = ModelCount(
    successful=1200, failed=3, hits=400, looked_up=1180, total_ms=5160.0, last_at=AT, requests=1100, errors=2
)
_MS = np.array([3.1, 3.4, 3.9, 4.2, 11.8])
_COUNT.latencies.add(AT - _MS, _MS)


def prediction() -> dict[str, Any]:
    """A prediction."""
    return prediction_document(_PREDICTION)


def feature_collection() -> dict[str, Any]:
    """The same as GeoJSON, with a triangle's worth of the ellipse's points."""
    collection = geojson.feature_collection([_PREDICTION])
    ring = collection["features"][1]["geometry"]["coordinates"][0]
    collection["features"][1]["geometry"]["coordinates"] = [[ring[0], ring[21], ring[42], ring[0]]]
    return collection


def batch() -> dict[str, Any]:
    """A batch of two, of which one failed."""
    return batch_document("0197c2d4-6f1e-7c3a-a001-77d0c2b8e9f4", [prediction(), _FAILED], [_PREDICTION], 9.7)


def version() -> dict[str, Any]:
    """A version."""
    return version_document(_MODEL, _VERSION, AT)


def model() -> dict[str, Any]:
    """A model with that version."""
    return model_document(_MODEL, "localization", AT)


def info() -> dict[str, Any]:
    """The same as Heimdall's model information."""
    return info_document(_MODEL, _VERSION, _COUNT, health="healthy", now=AT, uptime_s=86_400.0)


def performance() -> dict[str, Any]:
    """How it fares."""
    return performance_document(_MODEL, _VERSION, _COUNT, now=AT, uptime_s=86_400.0)
