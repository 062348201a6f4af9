"""What became of a version's traffic, as JSON. Optional fields are absent."""

from typing import Any

from contract.histogram import Histogram
from contract.version_record import VersionRecord


def record_document(record: VersionRecord) -> dict[str, Any]:
    """Requests, errors, latencies and ellipses; and how its fixes lie to the champion's, as far as known."""
    optional = {
        "error_rate": record.error_rate,
        "latency_ms": _quantiles(record.latency_ms, p50=0.5, p95=0.95, p99=0.99),
        "cache_hit_rate": record.hit_rate,
        "mean_semi_major_m": record.semi_major_m.mean,
        "comparison": _comparison(record),
    }
    return {
        "requests": record.requests,
        "errors": dict(sorted(record.errors.items())),
        "fell_back": record.fell_back,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _comparison(record: VersionRecord) -> dict[str, Any] | None:
    """How it does on recordings that the champion had as well."""
    if not (record.shift_m.count or record.mirror_errors or record.skipped):
        return None
    optional = {
        "distance_m": _quantiles(record.shift_m, p05=0.05, p25=0.25, median=0.5, p75=0.75, p95=0.95),
        "overlap": _quantiles(record.overlap, median=0.5, p95=0.95),
        "relative_shift": record.relative_shift,
        "latency_ms": _quantiles(record.mirror_latency_ms, median=0.5, p95=0.95),
    }
    return {
        "count": record.shift_m.count,
        "errors": dict(sorted(record.mirror_errors.items())),
        "skipped": dict(sorted(record.skipped.items())),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _quantiles(values: Histogram, **wanted: float) -> dict[str, float | None] | None:
    return {name: values.quantile(q) for name, q in wanted.items()} if values.count else None
