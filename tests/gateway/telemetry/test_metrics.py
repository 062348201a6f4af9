"""What Prometheus scrapes."""

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.domain import Covariance, Fix, Options
from gateway.errors import DeadlineExceeded, Overloaded
from gateway.prediction import CacheOutcome, Prediction, derive
from gateway.telemetry.heimdall_metrics import HeimdallMetrics
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.stopwatch import Stopwatch
from tests.gateway.telemetry.noted import asked, predicted


def prediction(version: int = 1, cache: CacheOutcome = "miss", level: float = 0.68) -> Prediction:
    fix = Fix(45.0, 9.0, Covariance(400.0, 100.0, 0.0))
    derived = derive(fix, sigma_scale=1.0, level=level, radius_m=1e3)
    return Prediction(
        id="i", model="m", version=version, derived=derived, options=Options(confidence_level=level),
        cache=cache, inference_time_ms=5.0, at=0.0,
    )  # fmt: skip


def request(
    metrics: Metrics,
    seconds: float,
    outcome: str = "ok",
    status: int = 200,
    told: dict[str, float] | None = None,
) -> None:
    watch = Stopwatch()
    watch.told = told
    watch.model, watch.version, watch.outcome = "m", "1", outcome
    asked(metrics, status, seconds, watch=watch)


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
        for sample in family.samples
    }


def test_a_requests_duration_is_told_by_route_model_version_and_outcome() -> None:
    metrics = Metrics()
    for seconds in (0.02, 0.5, 0.51, 99.0):
        request(metrics, seconds)
    request(metrics, 0.001, "Overloaded", 503)
    found, labels = samples(metrics), ("m", "ok", "/predict", "1")
    name = "fixgate_request_duration_seconds"
    assert found[f"{name}_count", *labels] == 4
    assert found[f"{name}_sum", *labels] == pytest.approx(100.03)
    buckets = {
        le: found[f"{name}_bucket", le, *labels] for le in ("0.01", "0.025", "0.5", "0.55", "10.0", "+Inf")
    }
    assert buckets == {"0.01": 0, "0.025": 1, "0.5": 2, "0.55": 3, "10.0": 3, "+Inf": 4}
    assert found[f"{name}_count", "m", "Overloaded", "/predict", "1"] == 1
    assert found["fixgate_http_requests_total", "POST", "/predict", "503"] == 1


def test_buckets_lie_close_around_the_objective() -> None:
    bounds = Metrics().durations.bounds
    assert {0.4, 0.45, 0.5, 0.55, 0.6} <= set(bounds)
    assert list(bounds) == sorted(bounds)


def test_a_method_that_a_client_made_up_makes_no_series() -> None:
    metrics = Metrics()
    for method in ("BREW", "FROB"):
        asked(metrics, 404, 0.001, method=method, route="other")
    assert samples(metrics)["fixgate_http_requests_total", "other", "other", "404"] == 2


def test_the_semi_major_axis_is_that_of_one_sigma_whatever_level_was_asked_for() -> None:
    metrics = Metrics()
    predicted(metrics, prediction(level=0.68))
    predicted(metrics, prediction(level=0.99))
    assert samples(metrics)["fixgate_ellipse_semi_major_metres_sum", "m", "1"] == pytest.approx(40.0)


def test_what_was_shed_and_what_came_too_late_are_counted_from_zero() -> None:
    metrics = Metrics()
    before = samples(metrics)
    assert before["fixgate_shed_requests_total",] == before["fixgate_deadline_exceeded_requests_total",] == 0
    metrics.refused(Overloaded("late"))
    metrics.refused(DeadlineExceeded("late"))
    after = samples(metrics)
    assert after["fixgate_shed_requests_total",] == after["fixgate_deadline_exceeded_requests_total",] == 1


def test_versions_that_are_no_longer_served_leave_no_series() -> None:
    metrics = Metrics()
    for version in (1, 2):
        predicted(metrics, prediction(version))
        metrics.triton_call("m", version, 4, 0.01, "ok")
    request(metrics, 0.1)
    metrics.keep_only({("m", "2")})
    found = samples(metrics)
    assert ("fixgate_predictions_total", "miss", "m", "1") not in found
    assert ("fixgate_request_duration_seconds_count", "m", "ok", "/predict", "1") not in found
    assert found["fixgate_predictions_total", "miss", "m", "2"] == 1
    assert found["fixgate_triton_call_rows_sum", "m", "2"] == 4
    assert found["fixgate_http_requests_total", "POST", "/predict", "200"] == 1


def test_a_model_that_is_no_longer_served_leaves_no_series_of_requests_without_a_version() -> None:
    metrics = Metrics()
    for model in ("", "m", "gone"):
        watch = Stopwatch()
        watch.model, watch.outcome = model, "Unavailable"
        asked(metrics, 503, 0.1, watch=watch)
    metrics.keep_only({("m", "2")})
    name = "fixgate_request_duration_seconds_count"
    assert {key[1] for key in samples(metrics) if key[0] == name} == {"", "m"}


def test_heimdalls_names_tell_the_same_in_its_units() -> None:
    metrics = Metrics()
    metrics.registry.register(HeimdallMetrics(metrics, lambda: 1.0, lambda: 1024.0))
    request(metrics, 0.1, told={"frontend": 2.0, "triton": 4.0})
    request(metrics, 0.2, "Overloaded", 503)
    outcomes: list[CacheOutcome] = ["hit", "hit", "miss", "coalesced", "bypass"]
    for cache in outcomes:
        predicted(metrics, prediction(cache=cache))
    metrics.switched("m")
    found = samples(metrics)
    assert found["inference_latency_ms_sum",] == pytest.approx(100.0)
    assert found["inference_latency_ms_bucket", "100.0"] == 1
    assert found["preprocessing_latency_ms_sum",] == pytest.approx(2.0)
    assert found["onnx_latency_ms_sum",] == pytest.approx(4.0)
    assert (found["cache_hits_total",], found["cache_misses_total",], found["cache_hit_rate",]) == (2, 2, 0.5)
    assert (found["inference_requests_total",], found["inference_errors_total",]) == (2, 1)
    assert (found["model_reloads_total",], found["model_loaded",]) == (1, 1)
    assert (found["inference_active_requests",], found["redis_memory_bytes",]) == (0, 1024)


def test_heimdalls_memory_of_redis_is_left_out_while_unknown() -> None:
    metrics = Metrics()
    metrics.registry.register(HeimdallMetrics(metrics, lambda: 0.0, lambda: None))
    found = samples(metrics)
    assert ("redis_memory_bytes",) not in found
    assert found["cache_hit_rate",] == 0
