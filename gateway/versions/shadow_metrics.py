"""What comes of mirrored recordings, for Prometheus."""

from prometheus_client import CollectorRegistry

from gateway.errors import FixgateError
from gateway.telemetry.metric_family import Counts, Distribution
from gateway.versions.comparison import Comparison

METRES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 1e6)
OVERLAP = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class ShadowMetrics:
    """By the version that is compared with the champion."""

    def __init__(self, registry: CollectorRegistry) -> None:
        place = ("model", "version")
        self._distance = Distribution(
            "fixgate_shadow_distance_metres",
            "Distance of a version's fix from the champion's of the same recording.",
            place,
            registry,
            METRES,
        )
        self._overlap = Distribution(
            "fixgate_shadow_overlap",
            "Bhattacharyya coefficient of a version's fix and the champion's; 1 = equal.",
            place,
            registry,
            OVERLAP,
        )
        self._duration = Distribution(
            "fixgate_shadow_duration_seconds",
            "What a version took for a mirrored recording.",
            place,
            registry,
            SECONDS,
        )
        self._failures = Counts(
            "fixgate_shadow_failures",
            "Mirrored recordings that got no fix, by class of error.",
            (*place, "error"),
            registry,
        )
        self._skipped = Counts(
            "fixgate_shadow_skipped",
            "Mirrored recordings that a version was not given, by reason.",
            (*place, "reason"),
            registry,
        )
        self.families = (self._distance, self._overlap, self._duration, self._failures, self._skipped)

    def compared(self, model: str, version: int, one: Comparison) -> None:
        """A version's fix was held against the champion's."""
        self._distance.observe(one.distance_m, (model, str(version)))
        self._overlap.observe(one.overlap, (model, str(version)))

    def mirror_took(self, model: str, version: int, ms: float) -> None:
        """A version computed a copy in that time."""
        self._duration.observe(ms / 1e3, (model, str(version)))

    def mirror_failed(self, model: str, version: int, error: FixgateError) -> None:
        """A version gave no fix for a copy."""
        self._failures.add((model, str(version), type(error).__name__))

    def skipped(self, model: str, version: int, reason: str) -> None:
        """A version was not given a copy."""
        self._skipped.add((model, str(version), reason))
