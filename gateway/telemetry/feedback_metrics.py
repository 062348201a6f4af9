"""What truths say of each version, for Prometheus."""

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram

from gateway.kept.feedback import BUCKETS_M, Outcome


class FeedbackMetrics:
    """Errors are those told to this process; coverage and NEES are of all truths told to any gateway."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["model", "version"]
        self._errors = Histogram(
            "fixgate_feedback_error_metres",
            "Distance of a truth from its prediction.",
            labels,
            buckets=BUCKETS_M,
            registry=registry,
        )
        self._coverage = Gauge(
            "fixgate_feedback_coverage",
            "Share of all truths inside the ellipse at a level, as of the last one told here.",
            [*labels, "level"],
            registry=registry,
        )
        self._nees = Gauge(
            "fixgate_feedback_nees",
            "Mean squared Mahalanobis distance of all truths, as of the last one told here; 2 is right.",
            labels,
            registry=registry,
        )

    def told(self, model: str, version: int, outcome: Outcome, summary: Mapping[str, Any] | None) -> None:
        """One truth was told; `summary` is of `gateway.kept.feedback`, None when not of what is served."""
        self._errors.labels(model, version).observe(outcome.error_m)
        if summary is None:
            return
        for level, share in summary["coverage"].items():
            self._coverage.labels(model, version, level).set(share)
        self._nees.labels(model, version).set(summary["mean_nees"])
