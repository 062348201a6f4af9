"""Breakers by version, on a clock that the test moves."""

import pytest

from gateway.triton.breaker import FAILURES, LONGEST_PAUSE_S, PAUSE_S, Breaker, Breakers
from tests.gateway.conftest import Clock


@pytest.fixture
def clock() -> Clock:
    """Now."""
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    """The breaker of model `m` version 1 is open."""
    made = Breakers(clock)
    assert [made.failed("m", 1) for _ in range(FAILURES)] == [False] * (FAILURES - 1) + [True]
    return made


def test_a_version_that_never_failed_is_closed() -> None:
    assert Breakers().closed("m", 1)
    assert Breakers().states() == ()


def test_failures_in_a_row_open_it_and_one_answer_between_them_does_not(clock: Clock) -> None:
    breakers = Breakers(clock)
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breakers.failed("m", 1)
        assert breakers.closed("m", 1)
        breakers.succeeded("m", 1)
    assert breakers.states() == ()


def test_it_concerns_that_version_only(breakers: Breakers) -> None:
    assert not breakers.closed("m", 1)
    assert breakers.closed("m", 2)
    assert breakers.closed("other", 1)
    breakers.failed("m", 2)
    assert breakers.states() == (Breaker("m", 1, "open"), Breaker("m", 2, "closed"))


def test_after_each_pause_one_caller_probes(breakers: Breakers, clock: Clock) -> None:
    assert not breakers.probe_due("m", 1)
    clock.now += PAUSE_S
    assert [breakers.probe_due("m", 1) for _ in range(3)] == [True, False, False]
    assert not breakers.closed("m", 1)


def test_failed_probes_come_less_often_up_to_a_limit(breakers: Breakers, clock: Clock) -> None:
    pauses = []
    for _ in range(6):
        began = clock.now
        while not breakers.probe_due("m", 1):
            clock.now += PAUSE_S / 2
        pauses.append(clock.now - began)
        breakers.failed("m", 1)
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S


def test_an_answer_closes_it(breakers: Breakers) -> None:
    breakers.succeeded("m", 1)
    assert breakers.closed("m", 1)
    assert not breakers.probe_due("m", 1)


def test_another_process_starts_anew(breakers: Breakers) -> None:
    breakers.reset()
    assert breakers.closed("m", 1)


def test_a_closed_one_is_never_probed(clock: Clock) -> None:
    breakers = Breakers(clock)
    breakers.failed("m", 1)
    clock.now += 1000
    assert not breakers.probe_due("m", 1)
