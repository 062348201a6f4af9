"""How often one caller may call."""

import pytest

from gateway.access import rate
from gateway.access.rate import RateLimit
from tests.gateway.conftest import Clock


def test_a_caller_at_rest_may_send_its_rate_at_once_and_then_one_each_interval() -> None:
    clock = Clock()
    limit = RateLimit("5/second", clock)
    assert [limit.wait_s("one") for _ in range(6)] == [0, 0, 0, 0, 0, 0.2]
    clock.now += 0.2
    assert [limit.wait_s("one") for _ in range(2)] == [0, 0.2]
    clock.now += 60
    assert [limit.wait_s("one") for _ in range(6)] == [0, 0, 0, 0, 0, 0.2]


def test_over_a_long_time_no_more_get_through_than_the_rate_says() -> None:
    clock = Clock()
    limit = RateLimit("100/second", clock)
    passed = 0
    for _ in range(20_001):
        passed += limit.wait_s("one") == 0
        clock.now += 0.0005
    assert passed in (100 + 10 * 100 - 1, 100 + 10 * 100)  # binary fractions: the last moment may miss 10 s


def test_refused_requests_do_not_count() -> None:
    clock = Clock()
    limit = RateLimit("1/minute", clock)
    assert limit.wait_s("one") == 0
    assert [limit.wait_s("one") for _ in range(100)] == [60] * 100
    clock.now += 60
    assert limit.wait_s("one") == 0


@pytest.mark.parametrize(
    ("text", "wait"), [("1/second", 1), ("1/minute", 60), ("1/hour", 3600), ("1/day", 86_400)]
)
def test_units(text: str, wait: float) -> None:
    limit = RateLimit(text, Clock())
    assert [limit.wait_s("one"), limit.wait_s("one"), limit.wait_s("two")] == [0, wait, 0]


def test_only_so_many_callers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that called last: many addresses cannot fill the memory."""
    monkeypatch.setattr(rate, "CALLERS", 2)
    limit = RateLimit("1/day", Clock())
    assert [limit.wait_s(caller) > 0 for caller in ("a", "b", "a", "c", "a", "b")] == [
        False, False, True, False, True, False,
    ]  # fmt: skip
    assert len(limit._states) == 2
