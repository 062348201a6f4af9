"""What is served, as JSON: from the catalogue and this process's own counts. Optional fields are absent."""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from contract import model as contracts
from contract.catalog import ServedModel, ServedVersion
from gateway.telemetry.counters import ModelCount
from gateway.versions.routing import shares
from gateway.wire.problem import timestamp

Health = Literal["healthy", "degraded", "unhealthy"]


def version_document(model: ServedModel, version: ServedVersion, now: float) -> dict[str, Any]:
    """One version: its digests, contract, tensors, aliases and share of the traffic."""
    optional = {
        "stage": version.stage,
        "mlflow_run_id": version.run_id,
        "mlflow_run_url": version.run_url,
        "metrics": version.metrics or None,
        "latency_ms": version.latency_ms or None,
    }
    return {
        "model": model.name,
        "version": str(version.version),
        "aliases": sorted(alias for alias, number in model.aliases.items() if number == version.version),
        "share": shares(model, now).get(version.version, 0.0),
        "digest": version.digest,
        "contract_digest": version.contract.digest,
        "contract": contracts.dump(version.contract),
        "sigma_scale": version.sigma_scale,
        "max_batch_size": version.max_batch_size,
        "inputs": [msgspec.to_builtins(tensor) for tensor in version.inputs],
        "outputs": [msgspec.to_builtins(tensor) for tensor in version.outputs],
        "created_at": _moment(version.created_at),
        "served_since": _moment(version.served_since),
        **{name: value for name, value in optional.items() if value is not None},
    }


def model_document(model: ServedModel, default: str | None, now: float) -> dict[str, Any]:
    """One model with all its versions."""
    return {
        "name": model.name,
        "default": model.name == default,
        "aliases": {alias: str(number) for alias, number in sorted(model.aliases.items())},
        "shares": {str(number): share for number, share in sorted(shares(model, now).items())},
        "versions": [version_document(model, version, now) for version in model.versions],
    }


def info_document(
    model: ServedModel,
    version: ServedVersion,
    count: ModelCount,
    *,
    health: Health,
    now: float,
    uptime_s: float,
) -> dict[str, Any]:
    """One model as Heimdall asks for it: the union of the two shapes that its clients read."""
    described = version_document(model, version, now)
    stage = version.stage or next(iter(described["aliases"]), "none")
    spread = count.latencies.spread(now)
    optional = {
        "accuracy": _share_of_one(version.metrics.get("accuracy")),
        "training_samples": version.metrics.get("training_samples"),
        "mlflow_run_id": version.run_id,
        "avg_latency_ms": count.average_ms,
        "latency_p95_ms": spread.p95_ms if spread else None,
        "cache_hit_rate": count.hit_rate,
        "last_prediction_at": None if count.last_at is None else _moment(count.last_at),
    }
    return {
        "name": model.name,
        "model_name": model.name,
        "version": described["version"],
        "active_version": described["version"],
        "stage": stage,
        "aliases": described["aliases"],
        "created_at": described["created_at"],
        "loaded_at": described["served_since"],
        "last_reloaded": described["served_since"],
        "uptime_seconds": round(uptime_s, 3),
        "status": "ready" if health != "unhealthy" else "not_ready",
        "is_ready": health != "unhealthy",
        "health_status": health,
        "inference_count": count.successful,
        "predictions_total": count.successful + count.failed,
        "predictions_successful": count.successful,
        "predictions_failed": count.failed,
        "digest": version.digest,
        "contract_digest": described["contract_digest"],
        "contract": described["contract"],
        **{name: value for name, value in optional.items() if value is not None},
    }


def performance_document(
    model: ServedModel, version: ServedVersion, count: ModelCount, *, now: float, uptime_s: float
) -> dict[str, Any]:
    """How one model fares, as Heimdall's dashboard asks for it, which wants a number everywhere.

    Before the first prediction (`window_predictions` 0) the latencies and rates are 0 and nothing has failed.
    """
    spread = count.latencies.spread(now)
    latencies = {
        "inference_latency_ms": spread.mean_ms if spread else 0.0,
        "p50_latency_ms": spread.p50_ms if spread else 0.0,
        "p95_latency_ms": spread.p95_ms if spread else 0.0,
        "p99_latency_ms": spread.p99_ms if spread else 0.0,
    }
    return {
        "model_name": model.name,
        "active_version": str(version.version),
        **{name: round(value, 3) for name, value in latencies.items()},
        "throughput_samples_per_second": round(count.latencies.rate(now, uptime_s), 3),
        "cache_hit_rate": count.hit_rate or 0.0,
        "success_rate": 1.0 if count.success_rate is None else count.success_rate,
        "predictions_total": count.successful + count.failed,
        "predictions_successful": count.successful,
        "predictions_failed": count.failed,
        "requests_total": count.requests,
        "errors_total": count.errors,
        "window_predictions": spread.count if spread else 0,
        "window_seconds": round(spread.seconds, 3) if spread else 0.0,
        "uptime_seconds": round(uptime_s, 3),
        "timestamp": _moment(now),
    }


def _moment(unix_s: float) -> str:
    return timestamp(datetime.fromtimestamp(unix_s, UTC))


def _share_of_one(value: float | None) -> float | None:
    return value if value is not None and 0 <= value <= 1 else None
