"""Predictions as GeoJSON: what RFC 7946 says, and what a map needs to know."""

import json
import math
from typing import Any

import pytest
from shapely.geometry import shape

from gateway.domain import Covariance, Fix, Options
from gateway.prediction import Prediction, derive
from gateway.wire.geojson import feature_collection
from gateway.wire.response import prediction_document


def prediction(latitude: float = 45.1, longitude: float = 7.6, sigma_m: float = 800.0) -> Prediction:
    """An answer there, σ as given along the north and two thirds of it along the east."""
    fix = Fix(latitude, longitude, Covariance((sigma_m / 1.5) ** 2, sigma_m**2, 0.1 * sigma_m**2))
    return Prediction(
        id="0197c2d4",
        model="localization",
        version=3,
        derived=derive(fix, sigma_scale=1.0, level=0.9, radius_m=1000.0),
        options=Options(confidence_level=0.9),
        cache="miss",
        inference_time_ms=4.2,
        at=1_767_225_600.0,
    )


def ellipse_of(collection: dict[str, Any]) -> dict[str, Any]:
    """The second feature, after a trip through JSON."""
    _, ellipse = json.loads(json.dumps(collection))["features"]
    assert isinstance(ellipse, dict)
    return ellipse


def test_a_prediction_is_a_point_and_an_ellipse_that_say_what_they_are() -> None:
    collection = feature_collection([prediction()])
    assert collection["type"] == "FeatureCollection"
    point, ellipse = collection["features"]
    assert point["type"] == ellipse["type"] == "Feature"
    assert point["geometry"] == {"type": "Point", "coordinates": [7.6, 45.1]}
    document = prediction_document(prediction())
    assert point["properties"] == {
        "kind": "position",
        **{name: value for name, value in document.items() if not isinstance(value, dict)},
        **document["uncertainty"],
    }
    assert ellipse["properties"] == {"kind": "ellipse", "id": "0197c2d4", **document["ellipse"]}
    assert ellipse["geometry"]["type"] == "Polygon"


def test_the_ring_is_closed_counter_clockwise_rounded_and_about_the_point() -> None:
    geometry = ellipse_of(feature_collection([prediction()]))["geometry"]
    (ring,) = geometry["coordinates"]
    assert len(ring) == 65
    assert ring[0] == ring[-1]
    assert all(round(number, 9) == number for corner in ring for number in corner)
    polygon = shape(geometry)
    assert polygon.is_valid
    assert polygon.exterior.is_ccw
    assert polygon.centroid.coords[0] == pytest.approx((7.6, 45.1), abs=1e-3)


def test_the_bbox_is_on_the_ellipse_and_on_the_collection() -> None:
    collection = feature_collection([prediction()])
    assert (
        collection["bbox"]
        == ellipse_of(collection)["bbox"]
        == list(shape(ellipse_of(collection)["geometry"]).bounds)
    )


def test_the_antimeridian_makes_it_a_multipolygon_with_west_greater_than_east() -> None:
    ellipse = ellipse_of(feature_collection([prediction(-17.0, -179.999)]))
    assert ellipse["geometry"]["type"] == "MultiPolygon"
    assert shape(ellipse["geometry"]).is_valid
    assert [len(polygon) for polygon in ellipse["geometry"]["coordinates"]] == [1, 1]
    west, _, east, _ = ellipse["bbox"]
    assert west > 179.9
    assert east < -179.9


def test_a_pole_inside_is_one_polygon_round_the_map() -> None:
    ellipse = ellipse_of(feature_collection([prediction(90.0, 0.0)]))
    assert ellipse["geometry"]["type"] == "Polygon"
    assert ellipse["bbox"][0::2] == [-180, 180]
    assert ellipse["bbox"][3] == 90


@pytest.mark.parametrize(("sigma_m", "reason"), [(9e6, "over 10,000 km"), (1e-3, "under 1 cm")])
def test_what_cannot_be_drawn_has_no_geometry_but_a_reason(sigma_m: float, reason: str) -> None:
    collection = feature_collection([prediction(sigma_m=sigma_m)])
    ellipse = ellipse_of(collection)
    assert ellipse["geometry"] is None
    assert reason in ellipse["properties"]["reason"]
    assert "bbox" not in ellipse
    assert "bbox" not in collection


def test_several_predictions_stand_in_order_in_one_collection() -> None:
    collection = feature_collection([prediction(10.0), prediction(20.0, sigma_m=9e6), prediction(30.0)])
    latitudes = [one["geometry"]["coordinates"][1] for one in collection["features"][::2]]
    assert latitudes == [10, 20, 30]
    assert [one["geometry"] is None for one in collection["features"][1::2]] == [False, True, False]
    assert "bbox" not in collection


def test_no_prediction_is_an_empty_collection() -> None:
    assert feature_collection([]) == {"type": "FeatureCollection", "features": []}


def test_numbers_are_all_finite() -> None:
    json.dumps(
        feature_collection([prediction(sigma_m=sigma) for sigma in (1e-70, 1.0, 1e60)]), allow_nan=False
    )
    assert math.isfinite(prediction(sigma_m=1e60).derived.cep50_m)
