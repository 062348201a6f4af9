"""Guards: when a version gets more traffic, when it waits, when it must go back."""

import pytest

from contract.guards import Evidence, judge, meant, window
from contract.histogram import Histogram
from contract.rollout import Guards
from contract.version_record import COARSE, VersionRecord, window_keys

GUARDS = Guards(max_error_rate=0.01, max_p95_ms=500, max_shift=0.5, min_requests=200)
NO_SHIFT = Guards(max_shift=None)


def of(value: float, count: int) -> Histogram:
    """So many times this value."""
    made = Histogram()
    for _ in range(count):
        made.add(value)
    return made


def record(
    answered: int = 0, *, ms: float = 10.0, shift: float = 0.0, pairs: int = 0, **errors: int
) -> VersionRecord:
    return VersionRecord(
        answered=answered,
        errors=errors,
        latency_ms=of(ms, answered),
        shift_m=of(shift, pairs),
        champion_semi_major_m=of(1000.0, pairs),
    )


def evidence(version: VersionRecord, champion: VersionRecord | None = None) -> Evidence:
    return Evidence(version, champion or record(1000), version)


def test_a_version_that_keeps_every_limit_may_go_on() -> None:
    verdict = judge(GUARDS, evidence(record(200, shift=400, pairs=30)))
    assert (verdict.broken, verdict.missing) == ((), ())


def test_too_few_requests_are_waited_for() -> None:
    assert judge(NO_SHIFT, evidence(record(199))).missing == ("199 of 200 requests",)
    assert judge(GUARDS, evidence(record(200, pairs=29))).missing == (
        "29 of 30 recordings answered by both versions",
    )


def test_errors_over_the_limit_break_it() -> None:
    (told,) = judge(NO_SHIFT, evidence(record(195, BadAnswer=5))).broken
    assert told == "error rate 2.50% of 200 (limit 1.00%, champion 0.00%)"
    assert judge(NO_SHIFT, evidence(record(198, BadAnswer=2))).broken == ()


def test_errors_that_no_number_of_good_answers_can_make_up_for_break_it_at_once() -> None:
    assert judge(NO_SHIFT, evidence(record(0, BadAnswer=3))).broken
    early = judge(NO_SHIFT, evidence(record(0, BadAnswer=2)))
    assert (early.broken, early.missing) == ((), ("2 of 200 requests",))


def test_clients_errors_say_nothing_against_a_version() -> None:
    assert judge(NO_SHIFT, evidence(record(200, InvalidInput=100))).broken == ()


def test_what_the_champion_had_to_answer_in_its_place_counts_as_failed() -> None:
    gone = VersionRecord(fell_back=50)
    assert meant(gone) == 50
    assert judge(NO_SHIFT, evidence(gone)).broken


def test_errors_that_the_champion_has_as_well_are_not_the_versions() -> None:
    both = judge(NO_SHIFT, evidence(record(180, Unavailable=20), record(900, Unavailable=100)))
    assert both.broken == ()
    assert both.missing == (
        "error rate 10.00% of 200 (limit 1.00%, champion 10.00%): the champion does no better",
    )


@pytest.mark.parametrize(("champion_ms", "broken"), [(100.0, True), (600.0, True), (900.0, False)])
def test_slow_answers_break_it_unless_the_champion_is_as_slow(champion_ms: float, broken: bool) -> None:
    verdict = judge(NO_SHIFT, evidence(record(200, ms=800.0), record(1000, ms=champion_ms)))
    assert (bool(verdict.broken), bool(verdict.missing)) == (broken, not broken)
    assert "limit 500 ms" in (verdict.broken or verdict.missing)[0]


def test_without_a_champion_that_answers_the_limits_alone_count() -> None:
    """At 100 % the champion has no traffic."""
    alone = judge(NO_SHIFT, evidence(record(200, ms=800.0, BadAnswer=20), VersionRecord()))
    assert [told.split(" (")[0] for told in alone.broken] == ["error rate 9.09% of 220", "p95 813 ms"]
    assert all("champion none" in told for told in alone.broken)


def test_a_few_slow_answers_are_not_judged() -> None:
    assert judge(NO_SHIFT, evidence(record(50, ms=800.0))).broken == ()


def test_fixes_far_from_the_champions_break_it() -> None:
    (told,) = judge(GUARDS, evidence(record(200, shift=700.0, pairs=30))).broken
    assert told.startswith("shift 0.7")
    assert "the fixes of 30 recordings differ by" in told
    assert judge(NO_SHIFT, evidence(record(200, shift=700.0, pairs=30))).broken == ()


def test_a_guard_that_is_off_is_not_asked() -> None:
    off = Guards(max_error_rate=None, max_p95_ms=None, max_shift=None, min_requests=1)
    assert judge(off, evidence(record(1, ms=1e5, BadAnswer=99))).broken == ()


def test_a_steps_windows_leave_out_nothing_and_hold_next_to_nothing_of_what_was_before_it() -> None:
    assert [key.split(":")[3] for key in window_keys("m", *window(1003.0, 1025.0))] == [
        "1000",
        "1010",
        "1020",
    ]
    start, end = window(1003.0, 1003.0 + 7200)
    assert (start, end) == (1200.0, 8203.0)
    assert window(0.0, 1e9)[0] == pytest.approx(1e9 - COARSE.keep_s, abs=COARSE.window_s)
    assert window_keys("m", start, end)[0].split(":")[2:4] == ["600", "1200"]
