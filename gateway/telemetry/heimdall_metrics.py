"""Heimdall's names for what we count anyway, so that its dashboards and alerts go on working.

Nothing is counted twice: the numbers are made from ours when they are scraped. Their names and units are
Heimdall's, not Prometheus' conventions.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.telemetry.metric_family import Distribution, Keep, histogram
from gateway.telemetry.metrics import Metrics

PREDICTS = ("/predict", "/predict/batch")


@dataclass(frozen=True, slots=True)
class HeimdallMetrics(Collector):
    """Made from the gateway's metrics; `loaded` is 1 while the default model can answer."""

    metrics: Metrics
    loaded: Callable[[], float]
    redis_bytes: Callable[[], float | None]

    def collect(self) -> Iterable[Metric]:
        """As Prometheus scrapes them."""
        ours = self.metrics
        hits = ours.predictions.total(cache="hit")
        misses = ours.predictions.total(cache="miss") + ours.predictions.total(cache="coalesced")
        asked = list(_predict_requests(ours))
        yield _ms("inference_latency_ms", "Predict requests that were answered.", ours.durations, _answered)
        yield _ms("preprocessing_latency_ms", "Signal front-end.", ours.stages, _stage("frontend"))
        yield _ms("onnx_latency_ms", "Model, as seen from the gateway.", ours.stages, _stage("triton"))
        yield CounterMetricFamily("cache_hits", "Predictions from the cache.", hits)
        yield CounterMetricFamily("cache_misses", "Predictions that were computed.", misses)
        rate = hits / (hits + misses) if hits + misses else 0.0
        yield GaugeMetricFamily("cache_hit_rate", "Share of hits since the start.", rate)
        yield CounterMetricFamily("inference_requests", "Predict requests.", sum(n for _, n in asked))
        errors = sum(n for status, n in asked if status >= "400")
        yield CounterMetricFamily("inference_errors", "Predict requests without an answer.", errors)
        reloads = ours.switched_total
        yield CounterMetricFamily("model_reloads", "Changes of the champion.", reloads)
        yield GaugeMetricFamily("inference_active_requests", "Requests being answered.", ours.in_progress)
        yield GaugeMetricFamily("model_loaded", "1 while the default model can answer.", self.loaded())
        if (used := self.redis_bytes()) is not None:
            yield GaugeMetricFamily("redis_memory_bytes", "Memory that Redis uses.", used)

    def describe(self) -> Iterable[Metric]:
        """Nothing: the numbers are there only once the gateway is assembled."""
        return ()


def _predict_requests(ours: Metrics) -> Iterable[tuple[str, float]]:
    for labels, count in ours.requests.items():
        if labels["route"].endswith(PREDICTS):
            yield labels["status"], count


def _answered(labels: dict[str, str]) -> bool:
    return labels["outcome"] == "ok" and labels["route"].endswith(PREDICTS)


def _stage(name: str) -> Keep:
    return lambda labels: labels["stage"] == name


def _ms(name: str, about: str, seconds: Distribution, keep: Keep) -> Metric:
    *counts, total = seconds.merged(keep)
    bounds = tuple(bound * 1e3 for bound in seconds.bounds)
    return histogram(name, about, (), bounds, {(): [*counts, total * 1e3]})
