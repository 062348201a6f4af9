"""Predicting when an answer would come, and refusing what would come too late."""

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission import (
    HEADROOM,
    LONGEST_RETRY_S,
    PATIENCE_S,
    SHADOW_SHARE,
    Admission,
    ByteBudget,
    Call,
    CallTime,
    Station,
)
from gateway.errors import Overloaded
from gateway.priority import Priority

SECONDS = st.floats(0, 100)
ROWS = st.integers(1, 64)


def measured(*calls: tuple[int, float]) -> CallTime:
    """After these calls."""
    time = CallTime()
    for rows, seconds in calls:
        time.observe(rows, seconds)
    return time


def test_nothing_is_expected_before_the_first_call() -> None:
    assert CallTime().expected_s(32) == 0


def test_after_calls_of_one_size_larger_ones_are_expected_to_take_no_longer() -> None:
    time = measured(*[(1, 0.01)] * 20)
    assert time.expected_s(1) == time.expected_s(32) == pytest.approx(0.01)


@given(fixed=st.floats(0, 0.1), row=st.floats(1e-4, 0.1), sizes=st.lists(ROWS, min_size=40, max_size=60))
def test_it_learns_a_fixed_part_and_a_part_per_row(fixed: float, row: float, sizes: list[int]) -> None:
    time = measured(*((size, fixed + row * size) for size in [1, 32, *sizes, 1, 32]))
    for rows in (1, 8, 32):
        assert time.expected_s(rows) == pytest.approx(fixed + row * rows, rel=0.2, abs=0.25 * row)


@given(calls=st.lists(st.tuples(ROWS, SECONDS), min_size=1, max_size=40))
def test_whatever_was_measured_no_call_is_negative_and_a_larger_one_never_shorter(
    calls: list[tuple[int, float]],
) -> None:
    time = measured(*calls)
    expected = [time.expected_s(rows) for rows in (1, 2, 8, 64, 1024)]
    assert expected[0] >= -1e-9
    assert expected == sorted(expected)


def test_one_call_that_hung_does_not_ruin_the_estimate() -> None:
    time = measured(*[(8, 0.03)] * 30, (8, 60.0))
    assert time.expected_s(8) < 0.04


def test_a_lasting_change_is_learnt() -> None:
    time = measured(*[(8, 0.03)] * 30, *[(8, 0.3)] * 30)
    assert time.expected_s(8) == pytest.approx(0.3, rel=0.2)


def learnt(seconds_a_row: float = 0.01, *, calls_in_flight: int = 1) -> Station:
    """A station of a version that takes so long for each row."""
    station, now = Station("model m version 1", calls_in_flight), 0.0
    for rows in [1, 8] * 20:
        call = station.began([Priority.INTERACTIVE] * rows, now)
        now += rows * seconds_a_row
        station.ended(call, now, answered=True)
    return station


@contextlib.contextmanager
def busy(station: Station, in_flight: int, *, single: int = 0, batch: int = 0) -> Iterator[float]:
    """So many rows in flight and waiting; yields the time when the call left."""
    now = 1000.0
    with (
        station.holding(single + in_flight, Priority.INTERACTIVE, 0.0),
        station.holding(batch, Priority.BATCH, 0.0),
    ):
        call = station.began([Priority.INTERACTIVE] * in_flight, now)
        yield now
        station.ended(call, now, answered=False)


def test_the_prediction_is_what_is_ahead_times_what_it_takes() -> None:
    station = learnt()
    with busy(station, 8, single=23) as now:
        assert station.answer_s(1, 8, Priority.INTERACTIVE, now) == pytest.approx(0.32, rel=0.1)
        assert station.answer_s(9, 8, Priority.INTERACTIVE, now) == pytest.approx(0.40, rel=0.1)


def test_a_call_takes_as_long_as_it_takes_whatever_came_back_meanwhile() -> None:
    """Two instances: one is busy with 30 rows for 0.36 s while the other answers 10, 10 and 10."""
    station, now = Station("m", 2), 0.0

    def began(rows: int) -> Call:
        return station.began([Priority.INTERACTIVE] * rows, now)

    for _ in range(15):
        large = began(30)
        for _ in range(3):
            few = began(10)
            now += 0.12
            station.ended(few, now, answered=True)
        station.ended(large, now, answered=True)
    began(30)
    began(10)
    with station.holding(40, Priority.INTERACTIVE, now):  # those in flight
        assert station.answer_s(30, 32, Priority.INTERACTIVE, now) == pytest.approx(0.12 + 0.36, rel=0.05)
        with station.holding(20, Priority.INTERACTIVE, now + 0.02):
            ten_more = station.answer_s(10, 32, Priority.INTERACTIVE, now + 0.1)
            assert ten_more == pytest.approx(0.08 + 0.02 + 0.36, rel=0.05)  # the first waits since now + 0.02


def test_instances_that_keep_step_are_not_taken_for_fast_ones() -> None:
    """Of two calls that end together the second comes no time after the first."""
    station, now = Station("m", 2), 0.0
    for _ in range(2):
        pair = [station.began([Priority.INTERACTIVE] * 8, now) for _ in range(2)]
        now += 0.2
        for call in pair:
            station.ended(call, now, answered=True)
    with busy(station, 8, single=8):
        assert station.answer_s(1, 8, Priority.INTERACTIVE, 1000.0) > 0.2


def test_overlapping_calls_count_from_one_answer_to_the_next() -> None:
    """A backend that works on one call at a time looks twice as slow to each of two in flight."""
    station, now = Station("m", 2), 0.0
    flying = [station.began([Priority.INTERACTIVE] * 8, now)]
    for _ in range(40):
        flying.append(station.began([Priority.INTERACTIVE] * 8, now))
        now += 0.08
        station.ended(flying.pop(0), now, answered=True)
    station.ended(flying.pop(), now + 0.08, answered=True)
    assert station.answer_s(8, 8, Priority.INTERACTIVE, now) == pytest.approx(0.08, rel=0.05)


def test_a_call_that_failed_at_once_says_nothing_about_how_long_calls_take() -> None:
    station = learnt()
    before = station.answer_s(8, 8, Priority.INTERACTIVE, 1000.0)
    for _ in range(20):
        station.ended(station.began([Priority.INTERACTIVE] * 8, 1000.0), 1000.0, answered=False)
    assert station.answer_s(8, 8, Priority.INTERACTIVE, 1000.0) == before


def test_a_call_that_was_given_up_after_longer_than_expected_has_taken_at_least_that() -> None:
    station, now = learnt(), 1000.0
    for _ in range(12):
        call = station.began([Priority.INTERACTIVE] * 8, now)
        now += 2.0
        station.ended(call, now, answered=False)
    assert station.answer_s(8, 8, Priority.INTERACTIVE, now) > 1.0


def test_a_call_that_nobody_waits_for_counts_as_under_way_until_it_is_far_over_what_such_calls_take() -> None:
    assert Station("m", 1).patience_s(8) == PATIENCE_S
    assert learnt(seconds_a_row=0.01).patience_s(8) == PATIENCE_S
    assert learnt(seconds_a_row=1.0).patience_s(8) == pytest.approx(32, rel=0.1)


def test_a_call_that_is_overdue_is_expected_to_take_as_long_again() -> None:
    station = learnt()
    with busy(station, 8) as now:
        assert station.answer_s(1, 8, Priority.INTERACTIVE, now + 3) > 3


def test_single_requests_are_ahead_of_batches_but_for_their_share() -> None:
    station = learnt()
    with busy(station, 0, single=70, batch=70) as now:
        single, batch, shadow = (station.answer_s(1, 8, priority, now) for priority in Priority)
        assert single == pytest.approx(0.81, rel=0.1)
        assert batch == shadow == pytest.approx(1.41, rel=0.1)
    with busy(station, 0, single=70) as now:
        assert station.answer_s(1, 8, Priority.BATCH, now) == pytest.approx(0.08, rel=0.1)


def admitted(
    station: Station,
    rows: int = 1,
    *,
    left_s: float = 10.0,
    priority: Priority = Priority.INTERACTIVE,
    now: float,
) -> bool:
    """Whether they may join, with an objective of half a second."""
    try:
        Admission(objective_s=0.5, calls_in_flight=1).check_rows(
            station, rows, 8, priority=priority, left_s=left_s, now=now
        )
    except Overloaded:
        return False
    return True


def test_what_would_take_longer_than_the_objective_is_refused() -> None:
    station = learnt()
    with busy(station, 8, single=24) as now:
        assert admitted(station, now=now)
    with busy(station, 8, single=40) as now:
        assert not admitted(station, now=now)


def test_what_would_come_after_its_deadline_is_refused() -> None:
    station = learnt()
    with busy(station, 8, single=8) as now:
        assert admitted(station, left_s=0.3, now=now)
        assert not admitted(station, left_s=0.1, now=now)


def test_a_batch_may_take_longer_than_the_objective_once_it_has_begun_but_not_than_its_deadline() -> None:
    station = learnt()
    with busy(station, 8) as now:
        assert admitted(station, 100, priority=Priority.BATCH, left_s=10, now=now)
        with pytest.raises(Overloaded, match="and the deadline leaves 900 ms") as told:
            Admission(objective_s=0.5, calls_in_flight=1).check_rows(
                station, 100, 8, priority=Priority.BATCH, left_s=0.9, now=now
            )
        assert told.value.for_deadline


def test_mirrored_traffic_is_refused_first() -> None:
    station = learnt()
    with busy(station, 8, single=8) as now:
        assert admitted(station, now=now)
        assert not admitted(station, priority=Priority.SHADOW, now=now)


def test_an_idle_version_takes_anything_so_that_a_wrong_estimate_is_corrected() -> None:
    station = learnt(seconds_a_row=60.0)
    assert admitted(station, now=1000.0)
    with busy(station, 1) as now:
        assert not admitted(station, now=now)
    assert station.unused


def test_nothing_is_refused_before_anything_was_measured() -> None:
    station = Station("m", 1)
    with busy(station, 8, single=1000) as now:
        assert admitted(station, now=now)


@given(
    wait=SECONDS,
    left=SECONDS,
    objective=st.floats(0.001, 60),
    priority=st.sampled_from(Priority),
    share=st.sampled_from((HEADROOM, 1.0)),
)
def test_refused_is_exactly_what_is_over_the_smaller_limit(
    wait: float, left: float, objective: float, priority: Priority, share: float
) -> None:
    admission = Admission(objective_s=objective, calls_in_flight=2)
    limit = share * objective * (SHADOW_SHARE if priority is Priority.SHADOW else 1)
    if wait <= min(limit, left):
        admission.check(wait, left, "it", priority, share=share)
        return
    with pytest.raises(
        Overloaded, match="the deadline leaves" if left <= limit else "objective leaves"
    ) as told:
        admission.check(wait, left, "it", priority, share=share)
    assert told.value.retry_after_s == max(1.0, wait - min(limit, left))
    assert told.value.for_deadline is (left <= limit)


def test_the_more_are_refused_the_later_they_are_to_come_back() -> None:
    admission = Admission(objective_s=0.5, calls_in_flight=2)

    def refused(*, for_each: int, times: int) -> float:
        for _ in range(times):
            for _ in range(for_each):
                with pytest.raises(Overloaded) as told:
                    admission.check(0.6, 2.0, "it", Priority.INTERACTIVE)
            admission.check(0.1, 2.0, "it", Priority.INTERACTIVE)
        return told.value.retry_after_s

    assert refused(for_each=1, times=5) == 1.0
    assert refused(for_each=2, times=500) == pytest.approx(8, rel=0.1)
    assert refused(for_each=100, times=50) == LONGEST_RETRY_S
    assert refused(for_each=50_000, times=1) == LONGEST_RETRY_S
    assert refused(for_each=1, times=1000) == pytest.approx(4, rel=0.1)


def test_what_finds_its_version_idle_counts_as_let_through() -> None:
    """Otherwise the first that is refused long after an overload would be told to stay away for long."""
    admission = Admission(objective_s=0.5, calls_in_flight=1)
    station = admission.station("m", 1)

    def refused() -> float:
        with pytest.raises(Overloaded) as told:
            admission.check(0.6, 2.0, "it", Priority.INTERACTIVE)
        return told.value.retry_after_s

    def let_through(*, last: bool) -> None:
        for _ in range(2000):
            admission.check_rows(station, 1, 8, priority=Priority.INTERACTIVE, left_s=2.0, now=0.0, last=last)

    assert max(refused() for _ in range(2000)) == LONGEST_RETRY_S
    let_through(last=False)
    assert (admission.refusing, refused()) == (True, LONGEST_RETRY_S)
    let_through(last=True)
    assert (admission.refusing, refused()) == (False, 1.0)


def test_versions_that_have_nothing_to_do_are_forgotten_when_there_are_many() -> None:
    admission = Admission(objective_s=0.5, calls_in_flight=1)
    kept = admission.station("m", 0)
    with kept.holding(1, Priority.INTERACTIVE, 0.0):
        for version in range(1, 2000):
            admission.station("m", version)
        assert admission.station("m", 0) is kept
    assert len(admission._stations) <= 256
    assert admission.longest_s(0.0) == 0.0


def test_bytes_are_given_back_and_refused_beyond_the_budget() -> None:
    budget = ByteBudget(100)
    with budget.share() as one, budget.share() as other:
        one.grow(60)
        with pytest.raises(Overloaded, match="as many bytes as they may"):
            other.grow(41)
        other.grow(40)
        assert budget.held == 100
    assert budget.held == 0


def test_what_is_handed_over_is_held_until_it_is_given_back() -> None:
    budget = ByteBudget(100)
    with budget.share() as one:
        one.grow(60)
        give_back = one.handed_over()
    with budget.share() as other:
        with pytest.raises(Overloaded):
            other.grow(41)
        give_back()
        other.grow(41)
    assert budget.held == 0


def test_who_is_alone_is_not_refused_for_its_size() -> None:
    budget = ByteBudget(100)
    with budget.share() as one:
        one.grow(60)
        one.grow(60)
        with budget.share() as other, pytest.raises(Overloaded):
            other.grow(1)


def test_a_slow_first_call_does_not_speak_for_those_after_it() -> None:
    times = CallTime()
    times.observe(1, 0.8)
    times.observe(1, 0.01)
    assert times.expected_s(1) == pytest.approx(0.01)


def test_later_a_fast_call_is_one_of_many() -> None:
    times = CallTime()
    for _ in range(8):
        times.observe(1, 0.8)
    times.observe(1, 0.01)
    assert times.expected_s(1) > 0.6


def test_while_the_first_call_is_under_way_nobody_is_refused() -> None:
    station = Station("a version", 1)
    station.began([Priority.INTERACTIVE], 0.0)
    assert station.answer_s(1, 32, Priority.INTERACTIVE, 5.0) == 0
