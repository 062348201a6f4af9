"""Answers as the gateway gives them, for the formats' tests."""

import json
from typing import Any

from cli.formats.answer import Answer
from gateway.domain import Covariance, Fix, Options
from gateway.prediction import Prediction, derive
from gateway.wire.geojson import feature_collection
from gateway.wire.response import prediction_document


def answer(
    name: str = "one.npy", latitude: float = 45.1, longitude: float = 7.6, sigma_m: float = 800.0
) -> Answer:
    """What the gateway says of a file, as it comes out of its JSON."""
    fix = Fix(latitude, longitude, Covariance((sigma_m / 2) ** 2, sigma_m**2, 0.1 * sigma_m**2))
    prediction = Prediction(
        id="0197c2d4",
        model="localization",
        version=3,
        derived=derive(fix, sigma_scale=1.0, level=0.9, radius_m=1000.0),
        options=Options(confidence_level=0.9),
        cache="miss",
        inference_time_ms=4.2,
        at=1_767_225_600.0,
    )
    document: dict[str, Any] = prediction_document(prediction)
    document["geojson"] = feature_collection([prediction])
    return Answer(name, json.loads(json.dumps(document)))
