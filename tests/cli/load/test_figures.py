"""The figures of a run."""

import pytest

from cli.load.figures import Sample, figures


def test_percentiles_are_latencies_that_occurred() -> None:
    told = figures([Sample(0, number / 1000, 200) for number in range(1, 101)])
    assert (told.requests, told.failed) == (100, 0)
    assert told.mean_ms == pytest.approx(50.5)
    assert [told.p50_ms, told.p95_ms, told.p99_ms, told.slowest_ms] == pytest.approx([51, 96, 100, 100])


def test_failures_are_counted_by_status() -> None:
    told = figures([Sample(0, 1, status) for status in (200, 204, 302, 503, 503, 0)])
    assert told.failures == {302: 1, 503: 2, 0: 1}
    assert told.failed == 4


def test_no_request_has_no_figures() -> None:
    with pytest.raises(ValueError, match="no requests"):
        figures([])
