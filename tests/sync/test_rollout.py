"""The state machine of a rollout."""

from dataclasses import replace

import msgspec
import pytest

from contract.guards import Evidence
from contract.histogram import Histogram
from contract.rollout import Guards, Plan, Rollout
from contract.version_record import VersionRecord
from sync.rollout import Facts, advance, outcome

PLAN = Plan(steps=(5, 50, 100), every_s=60, guards=Guards(max_shift=None, min_requests=10))
BEGUN = Rollout("r", 2, 1, PLAN, "me", 0.0)
RUNNING = msgspec.structs.replace(BEGUN, phase="running", since=100.0)
LAST = msgspec.structs.replace(RUNNING, step=2)
PAUSED = msgspec.structs.replace(RUNNING, paused=True)


def recorded(answered: int, failed: int = 0) -> Evidence:
    latency = Histogram()
    for _ in range(answered):
        latency.add(5.0)
    version = VersionRecord(answered=answered, errors={"BadAnswer": failed}, latency_ms=latency)
    return Evidence(version, VersionRecord(answered=100), version)


FACTS = Facts(now=160.0, champion=1, candidate=2, served=frozenset({1, 2}), evidence=recorded(10))


def test_it_waits_until_its_version_is_served_and_begins_then() -> None:
    assert advance(BEGUN, replace(FACTS, served=frozenset({1}))).rollout == BEGUN
    begun = advance(BEGUN, FACTS).rollout
    assert (begun.phase, begun.step, begun.since, begun.share) == ("running", 0, 160.0, 5)


def test_it_goes_a_step_on_when_the_time_is_over_and_the_guards_hold() -> None:
    further = advance(RUNNING, FACTS).rollout
    assert (further.step, further.since, further.share) == (1, 160.0, 50)


@pytest.mark.parametrize(
    "facts",
    [replace(FACTS, now=159.9), replace(FACTS, evidence=recorded(9)), replace(FACTS, evidence=recorded(0))],
)
def test_it_stays_before_its_time_and_with_too_few_requests(facts: Facts) -> None:
    assert advance(RUNNING, facts).rollout == RUNNING


def test_after_the_last_step_the_champion_is_moved_and_then_it_has_ended() -> None:
    step = advance(LAST, FACTS)
    assert (step.promote, step.rollout) == (True, LAST)
    ended = advance(LAST, replace(FACTS, champion=2)).rollout
    assert (ended.phase, ended.ended_at, ended.share) == ("promoted", 160.0, 0.0)
    assert outcome(ended) == "promoted: every step held"


def test_a_promotion_by_hand_ends_it() -> None:
    ended = advance(RUNNING, replace(FACTS, champion=2)).rollout
    assert (ended.phase, ended.reason) == ("promoted", "made champion by hand at 5 %")


def test_a_broken_guard_sends_it_back_at_once() -> None:
    for rollout in (RUNNING, LAST, PAUSED):
        ended = advance(rollout, replace(FACTS, now=101.0, evidence=recorded(0, 5))).rollout
        assert (ended.phase, ended.share, ended.ended_at) == ("failed", 0.0, 101.0)
        assert ended.reason.startswith(f"at {rollout.share:g} %: error rate 100.00% of 5")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (replace(FACTS, champion=3), "the champion is version 3 now, not 1"),
        (replace(FACTS, champion=None), "the champion is version none now, not 1"),
        (replace(FACTS, candidate=None), "the alias candidate leads to version none now"),
        (replace(FACTS, refused="load: no"), "the version is refused: load: no"),
        (replace(FACTS, served=frozenset({1})), "at 5 %: the version is not served any more"),
    ],
)
def test_without_ground_under_it_it_fails(facts: Facts, said: str) -> None:
    ended = advance(RUNNING, facts).rollout
    assert (ended.phase, ended.reason) == ("failed", said)


def test_paused_it_stays_where_it_is() -> None:
    assert advance(PAUSED, FACTS).rollout == PAUSED
    waiting = msgspec.structs.replace(BEGUN, paused=True)
    assert advance(waiting, FACTS).rollout == waiting


def test_what_has_ended_stays() -> None:
    for phase in ("promoted", "aborted", "failed"):
        ended = msgspec.structs.replace(RUNNING, phase=phase)
        assert advance(ended, replace(FACTS, champion=3)).rollout is ended


def test_when_the_clock_was_set_back_the_step_begins_anew_and_its_guards_see_again() -> None:
    back = replace(FACTS, now=40.0, evidence=recorded(0))
    begun = advance(msgspec.structs.replace(RUNNING, started_at=90.0), back).rollout
    assert (begun.phase, begun.step, begun.since, begun.started_at) == ("running", 0, 40.0, 40.0)
    assert advance(begun, replace(FACTS, now=99.0)).rollout == begun
    assert advance(begun, replace(FACTS, now=100.0)).rollout.step == 1
    assert advance(begun, replace(back, now=41.0, evidence=recorded(0, failed=9))).rollout.phase == "failed"
