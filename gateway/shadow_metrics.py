"""What comes of mirrored recordings, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from gateway.comparison import Comparison
from gateway.errors import FixgateError

METRES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 1e6)
OVERLAP = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class ShadowMetrics:
    """By the version that is compared with the champion."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["model", "version"]

        def histogram(name: str, about: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"fixgate_shadow_{name}", about, labels, buckets=buckets, registry=registry)

        self._distance = histogram(
            "distance_metres",
            "Distance of a version's fix from the champion's of the same recording.",
            METRES,
        )
        self._overlap = histogram(
            "overlap", "Bhattacharyya coefficient of a version's fix and the champion's; 1 = equal.", OVERLAP
        )
        self._duration = histogram(
            "duration_seconds", "What a version took for a mirrored recording.", SECONDS
        )
        self._failures = Counter(
            "fixgate_shadow_failures",
            "Mirrored recordings that got no fix, by class of error.",
            [*labels, "error"],
            registry=registry,
        )
        self._skipped = Counter(
            "fixgate_shadow_skipped",
            "Mirrored recordings that a version was not given, by reason.",
            [*labels, "reason"],
            registry=registry,
        )

    def compared(self, model: str, version: int, one: Comparison) -> None:
        """A version's fix was held against the champion's."""
        self._distance.labels(model, version).observe(one.distance_m)
        self._overlap.labels(model, version).observe(one.overlap)

    def mirror_took(self, model: str, version: int, ms: float) -> None:
        """A version computed a copy in that time."""
        self._duration.labels(model, version).observe(ms / 1e3)

    def mirror_failed(self, model: str, version: int, error: FixgateError) -> None:
        """A version gave no fix for a copy."""
        self._failures.labels(model, version, type(error).__name__).inc()

    def skipped(self, model: str, version: int, reason: str) -> None:
        """A version was not given a copy."""
        self._skipped.labels(model, version, reason).inc()
