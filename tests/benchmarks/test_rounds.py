"""Turns, ratios and how figures are written."""

import pytest

from benchmarks.rounds import Side, alternate, number, ratios, spread


def test_every_side_is_measured_once_a_round_and_each_round_begins_with_the_next() -> None:
    turns: list[str] = []

    def side(name: str) -> Side[int]:
        return Side(name, lambda: turns.append(name) or len(turns))  # type: ignore[func-returns-value]

    taken = alternate([side("a"), side("b"), side("c")], 4)
    assert "".join(turns) == "abc" + "bca" + "cab" + "abc"
    assert taken["a"] == [1, 6, 8, 10]


def test_ratios_are_taken_within_a_round() -> None:
    assert ratios([10, 30], [5, 60]) == [2, 0.5]
    with pytest.raises(ValueError, match="zip"):
        ratios([1], [1, 2])


def test_a_spread_is_the_median_with_the_range() -> None:
    assert spread([3.0, 1.0, 2.0]) == "2.00 (1.00-3.00)"
    assert spread([1234.5]) == "1,234"


@pytest.mark.parametrize(("value", "shown"), [(0.1234, "0.12"), (12.34, "12.3"), (99999.9, "100,000")])
def test_numbers_have_the_digits_that_count(value: float, shown: str) -> None:
    assert number(value) == shown
