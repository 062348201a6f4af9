"""Predictions of several files as one FeatureCollection."""

import json
from collections.abc import Sequence
from typing import Any

from cli.formats.answer import Answer


def geojson(answers: Sequence[Answer]) -> str:
    """All features, each with its file's name as the property `file`."""
    features = [
        {**feature, "properties": {"file": answer.name, **feature["properties"]}}
        for answer in answers
        for feature in answer.features
    ]
    collection: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if len(answers) == 1 and "bbox" in answers[0].document["geojson"]:
        collection["bbox"] = answers[0].document["geojson"]["bbox"]
    return json.dumps(collection, indent=1) + "\n"
