"""Predictions as JSON, exactly as docs/api.md has them: optional fields are absent, never null."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from gateway.prediction import Derived, Prediction

NO_SESSION = "unknown"
REMEMBERED = 1 << 12
"""Fixes and levels whose JSON is remembered: about 3 MB."""


def prediction_document(prediction: Prediction) -> dict[str, Any]:
    """One prediction. σ are marginal, in metres; the level scales the ellipse only."""
    options = prediction.options
    document: dict[str, Any] = {
        "id": prediction.id,
        **_described(prediction.derived, options.confidence_level),
        "model": prediction.model,
        "model_version": str(prediction.version),
        "inference_time_ms": round(prediction.inference_time_ms, 3),
        "timestamp": _moment(prediction.at),
        "session_id": options.session_id or NO_SESSION,
        "_cache_hit": prediction.cache == "hit",
    }
    if prediction.sample_id is not None:
        document["sample_id"] = prediction.sample_id
    return document


def prediction_json(prediction: Prediction) -> bytes:
    """The same as JSON; what one fix at one level always says is rendered once and remembered."""
    options = prediction.options
    session = f'"{NO_SESSION}"' if options.session_id is None else _text(options.session_id)
    named = "" if prediction.sample_id is None else f',"sample_id":{_text(prediction.sample_id)}'
    ms, hit = round(prediction.inference_time_ms, 3), "true" if prediction.cache == "hit" else "false"
    return (
        f'{{"id":"{prediction.id}",'
        f"{_rendered(prediction.derived, options.confidence_level, prediction.model, prediction.version)},"
        f'"inference_time_ms":{ms},"timestamp":"{_moment(prediction.at)}",'
        f'"session_id":{session},"_cache_hit":{hit}{named}}}'
    ).encode()


@lru_cache(maxsize=REMEMBERED)
def _rendered(derived: Derived, level: float, model: str, version: int) -> str:
    document = _described(derived, level) | {"model": model, "model_version": str(version)}
    return orjson.dumps(document).decode()[1:-1]


def _described(derived: Derived, level: float) -> dict[str, Any]:
    """What a fix says, whoever asks and whenever."""
    fix, ellipse, covariance = derived.fix, derived.ellipse, derived.fix.covariance
    sigma_x, sigma_y = covariance.var_east**0.5, covariance.var_north**0.5
    return {
        "position": {"latitude": fix.latitude, "longitude": fix.longitude},
        "uncertainty": {
            "sigma_x": sigma_x,
            "sigma_y": sigma_y,
            "rho": covariance.cov / (sigma_x * sigma_y),
            "theta": ellipse.theta_deg,
            "confidence_interval": level,
        },
        "ellipse": {
            "semi_major_m": ellipse.semi_major_m,
            "semi_minor_m": ellipse.semi_minor_m,
            "orientation_deg": ellipse.orientation_deg,
            "confidence_level": level,
            "area_m2": ellipse.area_m2,
            "cep50_m": derived.cep50_m,
            "r95_m": derived.r95_m,
        },
        "confidence": derived.confidence,
    }


def _moment(at: float) -> str:
    """RFC 3339 of Unix seconds; the part that changes once a second is remembered."""
    milliseconds = math.floor(at * 1e3)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _text(value: str) -> str:
    return orjson.dumps(value).decode()


def batch_document(
    batch_id: str, items: Sequence[dict[str, Any]], predictions: Sequence[Prediction], total_ms: float
) -> dict[str, Any]:
    """A batch: its items in order, whether they went well or not, and what they add up to.

    `cache_hit_rate` is the share of the successful ones that came from the cache.
    """
    hits = sum(one.cache == "hit" for one in predictions)
    return {
        "predictions": items,
        "batch_id": batch_id,
        "batch_size": len(items),
        "successful": len(predictions),
        "failed": len(items) - len(predictions),
        "total_time_ms": round(total_ms, 3),
        "samples_per_second": round(len(items) / max(total_ms, 1e-3) * 1e3, 3),
        "cache_hit_rate": hits / len(predictions) if predictions else 0.0,
    }


def failed_item(sample_id: str, problem: dict[str, Any]) -> dict[str, Any]:
    """What stands in the place of an item that failed."""
    return {"sample_id": sample_id, "success": False, "error": problem}
