"""Percentiles over the newest times."""

import numpy as np
import pytest

from gateway.telemetry.latency_window import RATE_S, SIZE, LatencyWindow


def filled(times: list[float], *, every_s: float = 0.1) -> LatencyWindow:
    """A window that took these times, `every_s` apart, the first at 0."""
    window = LatencyWindow()
    for place, ms in enumerate(times):
        window.add(np.array([place * every_s]), np.array([ms]))
    return window


def test_an_empty_window_has_no_percentiles() -> None:
    window = LatencyWindow()
    assert window.spread(10.0) is None
    assert window.rate(10.0, uptime_s=10.0) == 0.0


def test_percentiles_are_those_of_all_times_in_the_window() -> None:
    times = np.random.default_rng(1).gamma(2.0, 5.0, 1000).tolist()
    spread = filled(times).spread(now=100.0)
    assert spread is not None
    assert (spread.count, spread.seconds) == (1000, 100.0)
    assert spread.mean_ms == pytest.approx(np.mean(times))
    assert [spread.p50_ms, spread.p95_ms, spread.p99_ms] == pytest.approx(np.percentile(times, [50, 95, 99]))


def test_old_times_make_room_for_new_ones() -> None:
    spread = filled([1000.0] * SIZE + [1.0] * SIZE).spread(now=1000.0)
    assert spread is not None
    assert (spread.count, spread.p99_ms) == (SIZE, 1.0)


def test_a_rate_is_that_of_the_last_minute() -> None:
    window = filled([1.0] * 1000, every_s=0.1)
    assert window.rate(now=99.9, uptime_s=3600.0) == pytest.approx(10.0, rel=0.01)
    assert window.rate(now=99.9 + RATE_S / 2, uptime_s=3600.0) == pytest.approx(5.0, rel=0.01)
    assert window.rate(now=1000.0, uptime_s=3600.0) == 0.0


def test_a_young_process_divides_by_its_age() -> None:
    assert filled([1.0] * 10).rate(now=2.0, uptime_s=2.0) == pytest.approx(5.0)


def test_a_window_shorter_than_a_minute_divides_by_its_own_length() -> None:
    window = filled([1.0] * (2 * SIZE), every_s=0.001)
    assert window.rate(now=2 * SIZE * 0.001, uptime_s=3600.0) == pytest.approx(1000.0, rel=0.01)
