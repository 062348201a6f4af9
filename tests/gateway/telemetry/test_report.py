"""What several processes report together."""

from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest

from gateway.app import make_runner
from gateway.config import Config
from gateway.errors import BadAnswer
from gateway.kept.feedback import Outcome
from gateway.keys import SERVICES
from gateway.telemetry.counters import Counters
from gateway.telemetry.feedback_metrics import FeedbackMetrics
from gateway.telemetry.latency_window import SIZE, LatencyWindow
from gateway.telemetry.metric_family import Counts, Distribution, Read
from gateway.telemetry.report import (
    LEAST,
    MOST,
    NEWEST,
    RATIOS,
    Report,
    count_of,
    departed,
    exposition,
    merged,
    report,
)
from tests.gateway.telemetry.noted import predicted
from tests.gateway.wire.test_response import prediction


def process(requests: int, seconds: float, *, ready: float = 1.0, entries: float = 10.0) -> Report:
    """The report of a process, as it comes over the wire."""
    registry, counters = CollectorRegistry(), Counters()
    Counts("requests", "Requests.", ("route",), registry).add(("/predict",), requests)
    Distribution("seconds", "Times.", (), registry, (0.1, 1.0)).observe(seconds)
    Read("fixgate_ready", "Ready.", (), registry, lambda: [((), ready)])
    Read("entries", "Entries.", (), registry, lambda: [((), entries)])
    with counters.request("localization"):
        predicted(counters, prediction(at=100.0 + seconds, inference_time_ms=1e3 * seconds, cache="hit"))
    counters.failed("localization", 3, BadAnswer("no"))
    return msgspec.msgpack.decode(msgspec.msgpack.encode(report(registry, counters)), type=Report)


def values(one: Report) -> dict[str, float]:
    """Each line of the exposition."""
    lines = exposition(one).decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def test_the_text_is_what_prometheus_client_writes() -> None:
    registry = CollectorRegistry()
    Counts("odd", 'With "quotes", a \\ and\na line.', ("b", "a"), registry).add(('x"\\\n', "é"), 3)
    Distribution("seconds", "Times.", (), registry, (0.1, 1.0)).observe(0.5)
    odd = (float("inf"), float("-inf"), float("nan"), 1e300, -0.0, 123456789.0, 1.5e-9)
    Read("odd_values", "Values.", ("n",), registry, lambda: [((str(at),), one) for at, one in enumerate(odd)])
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    wanted = generate_latest(registry).decode().splitlines()
    told = exposition(report(registry, Counters())).decode().splitlines()
    moves = ("process_", "python_gc_")  # between the two
    assert [line for line in told if not line.startswith(moves)] == [
        line for line in wanted if not line.startswith(moves)
    ]
    assert [line.rpartition(" ")[0] for line in told] == [line.rpartition(" ")[0] for line in wanted]


def test_counters_histograms_and_numbers_add_up_and_the_worst_state_counts() -> None:
    told = values(merged([process(2, 0.05), process(3, 0.5, ready=0.0, entries=5.0)]))
    assert told == {
        'requests_total{route="/predict"}': 5.0,
        'seconds_bucket{le="0.1"}': 1.0,
        'seconds_bucket{le="1.0"}': 2.0,
        'seconds_bucket{le="+Inf"}': 2.0,
        "seconds_count": 2.0,
        "seconds_sum": pytest.approx(0.55),
        "fixgate_ready": 0.0,
        "entries": 15.0,
    }


AMOUNTS = {
    "fixgate_cache_bytes",
    "fixgate_cache_entries",
    "fixgate_held_bytes",
    "fixgate_http_requests_in_progress",
    "fixgate_rows_waiting",
    "fixgate_shadow_queued",
    "fixgate_triton_calls_in_flight",
    "inference_active_requests",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
}
"""Gauges of which each process has a part."""


async def test_every_gauge_that_is_no_amount_is_told_once(alone: Config) -> None:
    """Two workers with the same shares, states and predictions have no more of them than one."""
    runner = make_runner(alone)
    await runner.setup()
    try:
        metrics = runner.app[SERVICES].metrics
        metrics.predictions.add(("loc", "3", "hit"), 3)
        metrics.predictions.add(("loc", "3", "miss"), 1)
        one = report(metrics.registry, Counters())
    finally:
        await runner.cleanup()
    gauges = {family.name for family in one.families if family.kind in {"gauge", "info"}}
    assert gauges - LEAST - MOST - NEWEST - AMOUNTS == set(RATIOS)
    told, alone_told = values(merged([one, one])), values(one)
    assert told["cache_hit_rate"] == 0.75
    for family in one.families:
        for name, *_ in family.samples if family.name in gauges - AMOUNTS else ():
            for line in (each for each in alone_told if each.partition("{")[0] == name):
                assert told[line] == alone_told[line], line


def heard(monkeypatch: pytest.MonkeyPatch, *truths: tuple[float, int, float, float]) -> Report:
    """The report of a process that was told truths: when, of which version, coverage and NEES since."""
    registry = CollectorRegistry()
    metrics = FeedbackMetrics(registry)
    for at, version, coverage, nees in truths:
        monkeypatch.setattr("gateway.telemetry.feedback_metrics.time", SimpleNamespace(time=lambda at=at: at))
        summary = {"coverage": {"0.9": coverage}, "mean_nees": nees}
        metrics.told("m", version, Outcome(20.0, 1.0, {}), summary)
    return report(registry, Counters())


def test_of_what_truths_say_the_newest_is_told_by_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the largest: who heard the last truth knows of all of them."""
    one = heard(monkeypatch, (100.0, 1, 0.91, 5.0), (400.0, 2, 0.7, 1.5))
    other = heard(monkeypatch, (200.0, 1, 0.5, 2.0), (300.0, 2, 0.8, 3.0))
    for reports in ([one, other], [other, one], [one, heard(monkeypatch), other]):
        told = values(merged(reports))
        for version, coverage, nees, at in ((1, 0.5, 2.0, 200.0), (2, 0.7, 1.5, 400.0)):
            of = f'model="m",version="{version}"'
            assert told[f'fixgate_feedback_coverage{{level="0.9",{of}}}'] == coverage
            assert told[f"fixgate_feedback_nees{{{of}}}"] == nees
            assert told[f"fixgate_feedback_last_truth_timestamp_seconds{{{of}}}"] == at
            assert told[f"fixgate_feedback_error_metres_count{{{of}}}"] == 2


def test_a_process_that_is_gone_still_counts_but_is_no_longer_there() -> None:
    told = values(merged([departed(process(2, 0.05, ready=0.0)), process(3, 0.5)]))
    assert told['requests_total{route="/predict"}'] == 5.0
    assert told["seconds_count"] == 2.0
    assert (told["fixgate_ready"], told["entries"]) == (1.0, 10.0)


def test_what_was_done_with_a_model_adds_up() -> None:
    count = count_of(merged([process(1, 0.05), departed(process(1, 0.5))]), "localization")
    assert (count.successful, count.failed, count.requests, count.under_way) == (2, 2, 2, 0)
    assert (count.hit_rate, count.last_at) == (1.0, 100.5)
    spread = count.latencies.spread(101.0)
    assert spread is not None
    assert spread.count == 2
    assert spread.mean_ms == pytest.approx(275.0)
    assert count_of(Report(), "never asked").latencies.spread(0.0) is None


def test_windows_together_are_the_one_window_of_a_process_that_saw_everything() -> None:
    draw = np.random.default_rng(3)
    times = np.sort(draw.uniform(0, 100, 3 * SIZE))
    whole, parts = LatencyWindow(), [LatencyWindow() for _ in range(3)]
    for at in times.reshape(-1, 1):
        whole.add(at, at % 7)
        parts[int(draw.integers(3))].add(at, at % 7)
    together = LatencyWindow.parse([one.dump() for one in parts])
    assert together.spread(100.0) == pytest.approx(whole.spread(100.0))
    assert together.rate(100.0, 100.0) == pytest.approx(whole.rate(100.0, 100.0))
