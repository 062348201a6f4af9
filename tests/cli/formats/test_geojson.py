"""Predictions of several files as one FeatureCollection."""

import json

from cli.formats.geojson import geojson
from tests.cli.formats.answers import answer


def test_features_keep_their_order_and_learn_their_file() -> None:
    collection = json.loads(geojson([answer("a.npy"), answer("b.npy", longitude=-179.999)]))
    assert collection["type"] == "FeatureCollection"
    assert [one["properties"]["file"] for one in collection["features"]] == [
        "a.npy",
        "a.npy",
        "b.npy",
        "b.npy",
    ]
    assert [one["geometry"]["type"] for one in collection["features"]] == [
        "Point",
        "Polygon",
        "Point",
        "MultiPolygon",
    ]
    assert "bbox" not in collection


def test_one_file_keeps_its_bbox() -> None:
    one = answer()
    assert json.loads(geojson([one]))["bbox"] == one.document["geojson"]["bbox"]
    assert "bbox" not in json.loads(geojson([answer(sigma_m=9e6)]))
