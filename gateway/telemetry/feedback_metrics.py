"""What truths say of each version, for Prometheus."""

import time
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry

from gateway.kept.feedback import BUCKETS_M, Outcome
from gateway.telemetry.metric_family import Distribution, Levels


class FeedbackMetrics:
    """Errors are those told to this process; coverage and NEES are of all truths told to any gateway."""

    def __init__(self, registry: CollectorRegistry) -> None:
        place = ("model", "version")
        self._errors = Distribution(
            "fixgate_feedback_error_metres",
            "Distance of a truth from its prediction.",
            place,
            registry,
            BUCKETS_M,
        )
        self._coverage = Levels(
            "fixgate_feedback_coverage",
            "Share of all truths inside the ellipse at a level, as of the last one told here.",
            (*place, "level"),
            registry,
        )
        self._nees = Levels(
            "fixgate_feedback_nees",
            "Mean squared Mahalanobis distance of all truths, as of the last one told here; 2 is right.",
            place,
            registry,
        )
        self._last = Levels(
            "fixgate_feedback_last_truth_timestamp_seconds",
            "When the last truth was told here, of what is served.",
            place,
            registry,
        )
        self.families = (self._errors, self._coverage, self._nees, self._last)

    def told(self, model: str, version: int, outcome: Outcome, summary: Mapping[str, Any] | None) -> None:
        """One truth was told; `summary` is of `gateway.kept.feedback`, None when not of what is served."""
        place = (model, str(version))
        self._errors.observe(outcome.error_m, place)
        if summary is None:
            return
        for level, share in summary["coverage"].items():
            self._coverage.set(share, (*place, level))
        self._nees.set(summary["mean_nees"], place)
        self._last.set(time.time(), place)
