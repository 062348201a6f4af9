"""A histogram that merges."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.histogram import ACCURACY, FIRST, LAST, LEAST, MOST, Histogram, merged

VALUES = st.one_of(st.just(0.0), st.floats(1e-5, 1e8))
MANY = st.lists(VALUES, max_size=60)


def of(values: list[float]) -> Histogram:
    """Their histogram."""
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def alike(one: Histogram, other: Histogram) -> bool:
    """Equal but for the rounding of sums."""
    counts = (one.counts, one.zeros) == (other.counts, other.zeros)
    return counts and one.total == pytest.approx(other.total, rel=1e-12)


@given(st.lists(VALUES, min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_is_the_value_of_that_rank_to_two_percent(values: list[float], q: float) -> None:
    true = sorted(values)[math.floor(q * (len(values) - 1))]
    assert of(values).quantile(q) == pytest.approx(true, rel=ACCURACY * (1 + 1e-9))


@given(MANY, MANY, MANY)
def test_merging_is_counting_together_in_any_order(a: list[float], b: list[float], c: list[float]) -> None:
    whole = of(a + b + c)
    assert alike(merged([of(a), of(b), of(c)]), whole)
    assert alike(merged([of(c), merged([of(b), of(a)])]), whole)


@given(MANY)
def test_merging_leaves_its_parts_alone(values: list[float]) -> None:
    part = of(values)
    merged([part, of([1.0])])
    assert part == of(values)


@given(MANY)
def test_count_and_mean_are_exact(values: list[float]) -> None:
    histogram = of(values)
    assert histogram.count == len(values)
    if values:
        assert histogram.mean == pytest.approx(sum(values) / len(values), rel=1e-12)


def test_nothing_has_no_quantile_and_no_mean() -> None:
    assert (Histogram().quantile(0.5), Histogram().mean, merged([])) == (None, None, Histogram())


@pytest.mark.parametrize(
    ("value", "quantile"),
    [(LEAST / 2, 0.0), (1e70, MOST), (math.inf, MOST)],
    ids=["tiny", "huge", "infinite"],
)
def test_values_out_of_range_count_at_its_ends(value: float, quantile: float) -> None:
    assert of([value]).quantile(0.5) == pytest.approx(quantile, rel=ACCURACY)


def test_the_number_of_buckets_is_bounded() -> None:
    assert LAST - FIRST < 900
    assert {FIRST, LAST} >= set(of([MOST]).counts)
    assert min(of([LEAST * (1 + 1e-9)]).counts) >= FIRST


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        Histogram().add(math.nan)


@given(MANY)
def test_it_travels_as_json(values: list[float]) -> None:
    histogram = of(values)
    assert msgspec.json.decode(msgspec.json.encode(histogram), type=Histogram) == histogram


@pytest.mark.parametrize(
    "document", [b'{"counts":{"99999":1}}', b'{"counts":{"1":-1}}', b'{"zeros":-1}', b'{"counts":{"a":1}}']
)
def test_impossible_counts_are_refused(document: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(document, type=Histogram)
