"""What a prediction, a batch and a problem look like."""

from gateway.openapi.schema import (
    Schema,
    array,
    boolean,
    integer,
    moment,
    number,
    record,
    ref,
    share,
    string,
)
from gateway.wire.limits import Limits

MAX_ITEMS = Limits().batch_items

_LEVEL = number("The requested `confidence_level`.", unit="1", exclusiveMinimum=0, exclusiveMaximum=1)


def _metres(description: str) -> Schema:
    return number(description, unit="m", minimum=0)


POSITION = record(
    "Where the source is: WGS84.",
    {
        "latitude": number("North is positive.", unit="°", minimum=-90, maximum=90),
        "longitude": number("East is positive.", unit="°", minimum=-180, exclusiveMaximum=180),
    },
)
UNCERTAINTY = record(
    "The position's covariance on the local east-north plane. σ are marginal 1 σ, whatever the level.",
    {
        "sigma_x": _metres("σ east."),
        "sigma_y": _metres("σ north."),
        "rho": number("Correlation of east and north.", unit="1", minimum=-1, maximum=1),
        "theta": number(
            "The ellipse's major axis, counter-clockwise from east.",
            unit="°",
            exclusiveMinimum=-90,
            maximum=90,
        ),
        "confidence_interval": _LEVEL,
    },
)
ELLIPSE = record(
    "The region that holds the source with probability `confidence_level`.",
    {
        "semi_major_m": _metres("Half of the longer axis."),
        "semi_minor_m": _metres("Half of the shorter axis."),
        "orientation_deg": number(
            "The major axis, clockwise from true north.", unit="°", minimum=0, exclusiveMaximum=180
        ),
        "confidence_level": _LEVEL,
        "area_m2": number("Its area.", unit="m²", minimum=0),
        "cep50_m": _metres("Radius about the position that holds the source half of the time."),
        "r95_m": _metres("Radius that holds it 95 times in 100."),
    },
)
PREDICTION = record(
    "One fix. Optional fields are absent, never null.",
    {
        "id": string("UUIDv7: names this prediction in feedback, recents and logs.", format="uuid"),
        "position": ref("Position"),
        "uncertainty": ref("Uncertainty"),
        "ellipse": ref("Ellipse"),
        "confidence": share(
            "Probability that the source lies within the contract's `confidence_radius_m` of the position."
        ),
        "model": string("The model that answered."),
        "model_version": string("The version that answered, as MLflow numbers it.", pattern="^[0-9]+$"),
        "inference_time_ms": number("From the request's first byte to this answer.", unit="ms", minimum=0),
        "timestamp": moment("When it was answered."),
        "session_id": string('As requested, else "unknown".'),
        "_cache_hit": boolean("Whether the fix came from the cache."),
        "sample_id": string("As requested; batches only."),
        "geojson": ref("FeatureCollection"),
    },
    optional=("sample_id", "geojson"),
)
FAILED_ITEM = record(
    "What stands in the place of a recording that failed.",
    {
        "sample_id": string("As requested, else the place in the batch from 0."),
        "success": {"const": False, "description": "Always false."},
        "error": ref("Problem"),
    },
)
BATCH = record(
    "The recordings' answers in order, and what they add up to. One version answers all of them.",
    {
        "predictions": array(
            {"anyOf": [ref("Prediction"), ref("FailedItem")]},
            "In the order of the request.",
            minItems=1,
            maxItems=MAX_ITEMS,
        ),
        "batch_id": string("UUIDv7.", format="uuid"),
        "batch_size": integer("Recordings in the request.", minimum=1, maximum=MAX_ITEMS),
        "successful": integer("How many were answered.", minimum=0, maximum=MAX_ITEMS),
        "failed": integer("How many were not.", minimum=0, maximum=MAX_ITEMS),
        "total_time_ms": number("Time for the whole batch.", unit="ms", minimum=0),
        "samples_per_second": number("Recordings in a second, at this rate.", unit="1/s", minimum=0),
        "cache_hit_rate": share("Share of the answered ones that came from the cache."),
    },
)
_BBOX = array(
    {"type": "number", "x-unit": "°"}, "West, south, east, north (RFC 7946 §5).", minItems=4, maxItems=4
)
_PLACE = array({"type": "number", "x-unit": "°"}, "Longitude, latitude.", minItems=2, maxItems=2)
_RING = array(_PLACE, "Counter-clockwise; the first point is repeated last.", minItems=4)
_POLYGON = array(_RING, minItems=1)


def _geometry(kind: str, coordinates: Schema) -> Schema:
    return record("", {"type": {"const": kind}, "coordinates": coordinates})


FEATURE = record(
    "The position (`kind: position`) or the ellipse (`kind: ellipse`) of one prediction.",
    {
        "type": {"const": "Feature"},
        "geometry": {
            "description": "null for an ellipse too large to draw; the property `reason` says so.",
            "anyOf": [
                _geometry("Point", _PLACE),
                _geometry("Polygon", _POLYGON),
                _geometry("MultiPolygon", array(_POLYGON, "Cut at the antimeridian.", minItems=2)),
                {"type": "null"},
            ],
        },
        "properties": {"type": "object", "description": "The prediction's own fields, flat."},
        "bbox": _BBOX,
    },
    optional=("bbox",),
)
FEATURE_COLLECTION = record(
    "GeoJSON (RFC 7946): for each prediction its position, then its ellipse.",
    {"type": {"const": "FeatureCollection"}, "features": array(ref("Feature")), "bbox": _BBOX},
    optional=("bbox",),
)
PROBLEM = record(
    "An error (RFC 9457), with the fields that Heimdall's clients read beside the standard ones.",
    {
        "type": string("Names the class of error.", pattern="^urn:fixgate:problem:[a-z0-9-]+$"),
        "title": string("The status in words."),
        "status": integer("The HTTP status.", minimum=400, maximum=599),
        "detail": string("What was wrong: the field, the value, what is allowed."),
        "instance": string("The request's path."),
        "error": string("The class of error with underscores.", pattern="^[a-z0-9_]+$"),
        "message": string("The same as `detail`."),
        "timestamp": moment("When it happened."),
        "request_id": string("The same as the header `X-Request-Id`: find it in the log."),
        "field": string("Where in the request, as the client wrote it: `iq_data[0][17]`."),
    },
    optional=("field",),
)

SCHEMAS: dict[str, Schema] = {
    "Prediction": PREDICTION,
    "Position": POSITION,
    "Uncertainty": UNCERTAINTY,
    "Ellipse": ELLIPSE,
    "BatchAnswer": BATCH,
    "FailedItem": FAILED_ITEM,
    "FeatureCollection": FEATURE_COLLECTION,
    "Feature": FEATURE,
    "Problem": PROBLEM,
}
