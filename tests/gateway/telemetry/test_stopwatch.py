"""Where one request's time goes."""

import pytest

from gateway.telemetry.stopwatch import Stopwatch


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, in a list of one."""
    now = [0.0]
    monkeypatch.setattr("gateway.telemetry.stopwatch.time.perf_counter", lambda: now[0])
    return now


def test_stages_are_in_the_order_first_entered_and_add_up(clock: list[float]) -> None:
    watch = Stopwatch()
    for stage, seconds in (("cache", 0.001), ("triton", 0.002), ("cache", 0.004)):
        clock[0] += seconds
        watch.enter(stage)
    clock[0] += 0.008
    assert watch.stage == "cache"
    assert watch.stages_ms() == pytest.approx({"read": 1.0, "cache": 10.0, "triton": 4.0})
    assert watch.elapsed_ms == pytest.approx(15.0)
