"""Predictions as GeoJSON (RFC 7946): a point and an ellipse each."""

from collections.abc import Sequence
from typing import Any

from gateway.prediction import Prediction
from gateway.uncertainty.ellipse import many
from gateway.uncertainty.footprint import DECIMALS, Footprint, NoFootprint, footprints
from gateway.wire.response import prediction_document

MEDIA_TYPE = "application/geo+json"


def feature_collection(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """A FeatureCollection: for each prediction its position, then its ellipse at the requested level.

    An ellipse that cannot be drawn has `geometry` null and the property `reason`. The collection has a
    `bbox` when it is about one prediction.
    """
    outlines = footprints(
        [one.derived.fix for one in predictions], many([one.derived.ellipse for one in predictions])
    )
    features: list[dict[str, Any]] = []
    for prediction, outline in zip(predictions, outlines, strict=True):
        document = prediction_document(prediction)
        features += [_position(prediction, document), _ellipse(outline, document)]
    collection: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if len(predictions) == 1 and "bbox" in features[1]:
        collection["bbox"] = features[1]["bbox"]
    return collection


def geometry(outline: Footprint) -> dict[str, Any]:
    """A Polygon, or a MultiPolygon where the antimeridian cuts it."""
    rings = [ring.tolist() for ring in outline.rings]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings}
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}


def _position(prediction: Prediction, document: dict[str, Any]) -> dict[str, Any]:
    fix = prediction.derived.fix
    plain = {name: value for name, value in document.items() if not isinstance(value, dict)}
    return {
        "type": "Feature",
        "geometry": {
            "type": "Point",
            "coordinates": [round(fix.longitude, DECIMALS), round(fix.latitude, DECIMALS)],
        },
        "properties": {"kind": "position", **plain, **document["uncertainty"]},
    }


def _ellipse(outline: Footprint | NoFootprint, document: dict[str, Any]) -> dict[str, Any]:
    about = {"kind": "ellipse", "id": document["id"], **document["ellipse"]}
    if isinstance(outline, NoFootprint):
        return {"type": "Feature", "geometry": None, "properties": {**about, "reason": str(outline)}}
    return {"type": "Feature", "bbox": list(outline.bbox), "geometry": geometry(outline), "properties": about}
