"""What Prometheus scrapes, on a registry of our own."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateway.errors import FixgateError
from gateway.prediction import Prediction

Metric = TypeVar("Metric", Counter, Histogram)

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Every metric of this process. Labels are from the catalogue and the route table, not from clients."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.in_progress = 0
        self.gauge(
            "fixgate_http_requests_in_progress", "HTTP requests being answered.", lambda: self.in_progress
        )
        self._requests = self._counter(
            "fixgate_http_requests", "HTTP requests answered.", "method", "route", "status"
        )
        self._duration = self._histogram(
            "fixgate_http_request_duration_seconds", "From the head of a request to its answer.", "route"
        )
        self._stages = self._histogram(
            "fixgate_stage_duration_seconds", "Where the time of predict requests goes.", "stage"
        )
        self._predictions = self._counter(
            "fixgate_predictions",
            "Predictions made, by where the fix came from.",
            "model",
            "version",
            "cache",
        )
        self._latency = self._histogram(
            "fixgate_prediction_duration_seconds",
            "From the head of a request to its prediction.",
            "model",
            "version",
        )
        self._failures = self._counter(
            "fixgate_prediction_failures",
            "Recordings that got no prediction, by class of error.",
            "model",
            "version",
            "error",
        )
        self._fallbacks = self._counter(
            "fixgate_fallbacks",
            "Recordings that a version lost to its stand-in because it was not available.",
            "model",
            "version",
            "stand_in",
        )

    def gauge(self, name: str, about: str, value: Callable[[], float]) -> None:
        """A gauge that is read when it is scraped."""
        Gauge(name, about, registry=self.registry).set_function(value)

    def answered(self, prediction: Prediction) -> None:
        """One prediction was made."""
        model, version = prediction.model, prediction.version
        self._predictions(model, version, prediction.cache).inc()
        self._latency(model, version).observe(prediction.inference_time_ms / 1e3)

    def failed(self, model: str, version: int, error: FixgateError) -> None:
        """One was not."""
        self._failures(model, version, type(error).__name__).inc()

    def fell_back(self, model: str, version: int, stand_in: int, count: int) -> None:
        """Recordings of a version went to another."""
        self._fallbacks(model, version, stand_in).inc(count)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One HTTP request was answered."""
        self._requests(method if method in _METHODS else "other", route, status).inc()
        self._duration(route).observe(seconds)

    def stage(self, stage: str, seconds: float) -> None:
        """One stage of a predict request took this long."""
        self._stages(stage).observe(seconds)

    def _counter(self, name: str, about: str, *labels: str) -> Callable[..., Counter]:
        return _by_labels(Counter(name, about, labels, registry=self.registry))

    def _histogram(self, name: str, about: str, *labels: str) -> Callable[..., Histogram]:
        return _by_labels(Histogram(name, about, labels, buckets=_SECONDS, registry=self.registry))

    def exposition(self) -> bytes:
        """The text format."""
        return generate_latest(self.registry)


def _by_labels(metric: Metric) -> Callable[..., Metric]:
    """`metric.labels`, remembered: finding a child anew costs more than counting."""
    return lru_cache(maxsize=4096)(metric.labels)
