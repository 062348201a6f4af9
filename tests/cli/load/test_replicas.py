"""How many replicas a rate needs."""

import pytest

from cli.load.replicas import replicas


@pytest.mark.parametrize(
    ("rate", "capacity", "expected"),
    [(1, 100, 1), (100, 100, 1), (101, 100, 2), (1000, 9.5, 106), (0.3, 0.1, 3)],
)
def test_there_are_just_enough(rate: float, capacity: float, expected: int) -> None:
    assert replicas(rate, capacity) == expected


@pytest.mark.parametrize(
    ("rate", "capacity"), [(10, 0), (0, 10), (-1, 10), (float("inf"), 10), (float("nan"), 10)]
)
def test_what_has_no_answer_is_refused(rate: float, capacity: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        replicas(rate, capacity)
