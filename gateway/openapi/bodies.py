"""What a request's body may be, by media type."""

from collections.abc import Collection
from typing import Any

from gateway.openapi.fields import CONTINUE_ON_ERROR, OPTIONS
from gateway.openapi.schema import UNIT, Schema, array, or_null, ref, string
from gateway.wire.json_fields import BATCHES
from gateway.wire.limits import Limits
from gateway.wire.options import MAX_TEXT
from gateway.wire.request import JSON, NPY, RAW, SIGMF

MAX_ITEMS = Limits().batch_items

_PAIR = {
    **array({"type": "number", UNIT: "full scale"}, "[I, Q]; 1.0 = full scale.", minItems=2, maxItems=2),
}
_ARRAYS: dict[str, Schema] = {
    "iq_data": or_null(ref("Iq")),
    "features": or_null(ref("Features")),
}
_SPELLINGS: dict[str, str] = {
    "iq_samples": "The recordings.",
    "samples": "Another name for `iq_samples`.",
    "predictions": "Another name for `iq_samples`.",
}
_SAMPLE_ID = string("Comes back in this item's answer.", minLength=1, maxLength=MAX_TEXT)


def _options() -> dict[str, Schema]:
    return {name: or_null(schema) for name, schema in OPTIONS.items()}


def _closed(description: str, fields: dict[str, Schema], one_of: Collection[str]) -> Schema:
    """An object that refuses other fields and takes exactly one of these (null counts as not given)."""
    return {
        "type": "object",
        "description": description,
        "properties": fields,
        "additionalProperties": False,
        "oneOf": [{"required": [name], "properties": {name: {"type": "array"}}} for name in sorted(one_of)],
    }


SCHEMAS: dict[str, Schema] = {
    "Iq": {
        "description": "IQ samples: `[[I, Q], …]` for one receiver, `[[[I, Q], …], …]` for several, all of "
        "the same length. Finite in single precision.",
        "anyOf": [array(_PAIR, minItems=1), array(array(_PAIR, minItems=1), minItems=1)],
    },
    "Features": {
        **array(
            {"anyOf": [{"type": "number", UNIT: "1"}, ref("Features")]},
            "The model's input tensor without the batch axis, as nested arrays (at most 8 levels, none "
            "ragged), or flat. Finite in single precision.",
            minItems=1,
        ),
    },
    "PredictRequest": _closed(
        "One recording: exactly one of `iq_data` and `features`. Other fields are refused; null counts as "
        "not given.",
        {**_ARRAYS, **_options()},
        _ARRAYS,
    ),
    "BatchItem": _closed(
        "One recording of a batch, with options of its own where they differ from the batch's.",
        {"sample_id": or_null(_SAMPLE_ID), **_ARRAYS, **_options()},
        _ARRAYS,
    ),
    "BatchRequest": _closed(
        f"1 to {MAX_ITEMS} recordings under one of three names, and options that they share. Other "
        "fields are refused; null counts as not given.",
        {
            **{
                name: or_null(
                    array(
                        {"anyOf": [ref("BatchItem"), ref("Iq")]},
                        about,
                        minItems=1,
                        maxItems=MAX_ITEMS,
                    )
                )
                for name, about in _SPELLINGS.items()
            },
            "continue_on_error": or_null(CONTINUE_ON_ERROR),
            **_options(),
        },
        BATCHES,
    ),
}

_ONE = [[0.12, -0.03], [0.11, 0.02], [0.08, 0.07]]
_MANY = [_ONE, [[0.02, 0.01], [0.01, 0.02], [-0.01, 0.02]]]


def _example(summary: str, value: Any) -> dict[str, Any]:
    return {"summary": summary, "value": value}


_PREDICT_EXAMPLES = {
    "several receivers": _example(
        "Several receivers (real recordings are longer)",
        {"iq_data": _MANY, "sample_rate_hz": 192_000, "frequency_mhz": 145.5, "session_id": "van-7"},
    ),
    "one receiver": _example("One receiver", {"iq_data": _ONE, "confidence_level": 0.95}),
    "tensor": _example("The input tensor itself", {"features": [[[0.5, -1.2], [0.1, 0.3]]]}),
}
_BATCH_EXAMPLES = {
    "arrays": _example("Recordings alone", {"iq_samples": [_MANY, _MANY], "sample_rate_hz": 192_000}),
    "objects": _example(
        "Recordings with ids",
        {"samples": [{"sample_id": "a", "iq_data": _MANY}, {"sample_id": "b", "features": [[0.5, 0.1]]}]},
    ),
    "requests": _example("Whole requests", {"predictions": [{"iq_data": _ONE, "session_id": "van-7"}]}),
}


def _binary(description: str) -> dict[str, Any]:
    return {"schema": string(description, format="binary")}


_OPTIONS_IN_QUERY = "Options are in the query string."

PREDICT: dict[str, Any] = {
    JSON: {"schema": ref("PredictRequest"), "examples": _PREDICT_EXAMPLES},
    NPY: _binary(
        "One array as `numpy.save` writes it, format 1.0 or 2.0. complex64 of shape (samples) or (receivers, "
        "samples) is IQ; float32 is the model's input tensor. complex128, float64, big-endian and Fortran "
        f"order are converted; objects are refused. {_OPTIONS_IN_QUERY}"
    ),
    RAW: _binary(
        "Raw samples of the query's `dtype`: all of receiver 0, then all of receiver 1, …; or with "
        f"`dtype=f32_le` the model's input tensor. {_OPTIONS_IN_QUERY}"
    ),
    SIGMF: _binary(
        "A SigMF archive: a tar, not compressed, of one Recording whose channels are the receivers, or of a "
        "Collection whose streams are. Sample rate and frequency come from it; checksums are verified. "
        f"{_OPTIONS_IN_QUERY}"
    ),
}
BATCH: dict[str, Any] = {
    JSON: {"schema": ref("BatchRequest"), "examples": _BATCH_EXAMPLES},
    NPY: _binary(
        "One array as for a single request with one more axis in front, always: complex64 (items, receivers, "
        f"samples), or float32 (items, …). {_OPTIONS_IN_QUERY}"
    ),
}
