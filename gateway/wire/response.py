"""Predictions as JSON, exactly as docs/api.md has them: optional fields are absent, never null."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.prediction import Prediction
from gateway.wire.problem import timestamp

NO_SESSION = "unknown"


def prediction_document(prediction: Prediction) -> dict[str, Any]:
    """One prediction. σ are marginal, in metres; the level scales the ellipse only."""
    derived, options = prediction.derived, prediction.options
    fix, ellipse, covariance = derived.fix, derived.ellipse, derived.fix.covariance
    sigma_x, sigma_y = covariance.var_east**0.5, covariance.var_north**0.5
    document: dict[str, Any] = {
        "id": prediction.id,
        "position": {"latitude": fix.latitude, "longitude": fix.longitude},
        "uncertainty": {
            "sigma_x": sigma_x,
            "sigma_y": sigma_y,
            "rho": covariance.cov / (sigma_x * sigma_y),
            "theta": ellipse.theta_deg,
            "confidence_interval": options.confidence_level,
        },
        "ellipse": {
            "semi_major_m": ellipse.semi_major_m,
            "semi_minor_m": ellipse.semi_minor_m,
            "orientation_deg": ellipse.orientation_deg,
            "confidence_level": options.confidence_level,
            "area_m2": ellipse.area_m2,
            "cep50_m": derived.cep50_m,
            "r95_m": derived.r95_m,
        },
        "confidence": derived.confidence,
        "model": prediction.model,
        "model_version": str(prediction.version),
        "inference_time_ms": round(prediction.inference_time_ms, 3),
        "timestamp": timestamp(datetime.fromtimestamp(prediction.at, UTC)),
        "session_id": options.session_id or NO_SESSION,
        "_cache_hit": prediction.cache == "hit",
    }
    if prediction.sample_id is not None:
        document["sample_id"] = prediction.sample_id
    return document


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
