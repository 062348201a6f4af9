"""A soak's verdict: what grows, what is excused, what is not."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.soak.faults import AFTERWARDS_S, AWAY, Fault
from benchmarks.soak.report import Run, write
from benchmarks.soak.slope import SETTLED_S, slope
from benchmarks.soak.stack import Usage
from benchmarks.soak.traffic import Seen

HOUR = 3600.0
FAULT = Fault("Triton killed", 100.0, 110.0, AWAY)


def used(times: list[float], per_hour: float, *, leader: int = 1, noise: float = 1.0) -> list[Usage]:
    rng = np.random.default_rng(1)
    values = 100 + per_hour * np.array(times) / HOUR + rng.normal(0, noise, len(times))
    return [Usage(leader, float(value), 10, 4) for value in values]


TIMES = list(np.arange(0.0, HOUR, 5.0))


def test_the_slope_is_found_within_its_interval() -> None:
    trend = slope(TIMES, used(TIMES, 60.0), "rss_mb")
    assert trend is not None
    assert trend.low < 60.0 < trend.high
    assert trend.leaks


def test_what_stays_level_does_not_leak() -> None:
    trend = slope(TIMES, used(TIMES, 0.0), "rss_mb")
    assert trend is not None
    assert trend.low < 0.0 < trend.high
    assert not trend.leaks


def test_a_part_that_starts_again_begins_a_new_life_at_its_own_level() -> None:
    half = len(TIMES) // 2
    first = used(TIMES[:half], 0.0)
    second = [Usage(2, 40.0 + one.rss_mb, 10, 4) for one in used(TIMES[half:], 0.0)]
    trend = slope(TIMES, first + second, "rss_mb")
    assert trend is not None
    assert not trend.leaks


def stepping(times: list[float], at: float) -> list[Usage]:
    """Level, and level again 30 MB higher."""
    return [
        Usage(1, one.rss_mb + 30 * (moment > at), 10, 4)
        for moment, one in zip(times, used(times, 0.0), strict=True)
    ]


def test_one_step_is_no_trend_of_the_second_half() -> None:
    usages = stepping(TIMES, 0.4 * HOUR)
    whole, later = slope(TIMES, usages, "rss_mb"), slope(TIMES, usages, "rss_mb", lately=True)
    assert whole is not None
    assert later is not None
    assert (whole.leaks, later.leaks) == (True, False)


def test_too_short_a_life_says_nothing() -> None:
    times = [one for one in TIMES if one < SETTLED_S]
    assert slope(times, used(times, 1000.0), "rss_mb") is None


@pytest.mark.parametrize(
    ("at", "took", "status", "excused"),
    [
        (105.0, 0.1, 503, True),
        (99.0, 2.0, 504, True),
        (110.0 + AFTERWARDS_S - 1, 0.1, 503, True),
        (110.0 + AFTERWARDS_S + 1, 0.1, 503, False),
        (98.0, 1.0, 503, False),
        (105.0, 0.1, 500, False),
        (105.0, 30.0, -1, False),
    ],
)
def test_a_fault_excuses_its_own_time_and_statuses(
    at: float, took: float, status: int, excused: bool
) -> None:
    assert FAULT.excuse(at, took, status) is excused


def run(*answers: Seen, wrong: list[str] | None = None) -> Run:
    samples = [(one, {"gateway": usage}, 3) for one, usage in zip(TIMES, used(TIMES, 0.0), strict=True)]
    return Run(0.0, list(answers), wrong or [], [FAULT], 2, samples)


GOOD = Seen(1.0, 0.01, "hit", 200, expected=True, cached=True)


def test_an_error_without_an_explanation_fails_the_run_and_is_named(tmp_path: Path) -> None:
    failed = run(GOOD, Seen(50.0, 0.1, "new", 503, expected=False, detail="why not"))
    assert failed.failures == ["1 x new: status 503 why not (first in minute 0.8)"]
    assert "**FAIL**" in write(failed, tmp_path).read_text()


def test_a_wrong_answer_fails_the_run() -> None:
    assert run(GOOD, wrong=["recording 1"]).failures == ["wrong answer: recording 1"]


def test_a_run_without_either_passes_and_shows_its_faults(tmp_path: Path) -> None:
    excused = Seen(105.0, 0.1, "hit", 503, expected=False, error="Unavailable")
    refused = Seen(1.0, 0.1, "bad", 400, expected=True, error="BadInput")
    page = write(run(GOOD, refused, excused), tmp_path).read_text()
    assert "**PASS**" in page
    assert "| 2 | Triton killed | 10.0 | 1 |" in page
    assert "| 503 Unavailable | 0 | 1 | 0 |" in page
    assert "| 400 BadInput | 1 | 0 | 0 |" in page
    plots = {f"{name}.svg" for name in ("rss_mb", "files", "threads", "latency")}
    assert {one.name for one in tmp_path.iterdir()} == {"RESULTS.md"} | plots


@pytest.mark.parametrize(
    ("usages", "leaks"),
    [(used(TIMES, 60.0), True), (stepping(TIMES, 0.4 * HOUR), False)],
    ids=["trend", "step"],
)
def test_what_goes_on_growing_fails_the_run_and_one_step_does_not(usages: list[Usage], leaks: bool) -> None:
    growing = run(GOOD)
    growing.samples = [(at, {"gateway": usage}, 3) for at, usage in zip(TIMES, usages, strict=True)]
    assert [failure.startswith("gateway: RSS, MB grows by") for failure in growing.failures] == [True] * leaks


def test_segments_that_are_left_behind_fail_the_run_and_those_of_a_restart_do_not() -> None:
    level = run(GOOD)
    level.samples = [(at, usage, 3 + 2 * (at == HOUR / 2)) for at, usage, _ in level.samples]
    assert level.failures == []
    leaking = run(GOOD)
    leaking.samples = [(at, usage, int(at // 600)) for at, usage, _ in leaking.samples]
    assert leaking.failures == ["shared memory: 4 segments at last, 2 before"]
