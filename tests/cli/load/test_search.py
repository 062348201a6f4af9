"""The search for the highest rate."""

from hypothesis import given
from hypothesis import strategies as st

from cli.load.search import Search


@given(st.floats(1, 50_000), st.floats(1, 2_000), st.sampled_from([0.02, 0.05, 0.2]))
def test_finds_any_capacity_to_its_precision(capacity: float, start: float, precision: float) -> None:
    search = Search(start, precision)
    while (rate := search.rate) is not None:
        search.tell(rate, rate <= capacity)
        assert len(search.tried) < 60
    assert search.held is not None
    assert search.missed is not None
    assert search.held <= capacity < search.missed <= search.held * (1 + precision)


def test_says_that_nothing_is_borne() -> None:
    search = Search(8.0, lowest=1.0)
    while (rate := search.rate) is not None:
        search.tell(rate, borne=False)
    assert search.held is None
    assert search.missed == 1.0


def test_goes_no_higher_than_allowed() -> None:
    search = Search(8.0, highest=20.0)
    while (rate := search.rate) is not None:
        search.tell(rate, borne=True)
    assert search.held == 20.0
    assert search.missed is None


@given(st.floats(1, 1000), st.floats(1.001, 64))
def test_knows_how_many_trials_are_left(held: float, ratio: float) -> None:
    search = Search(held)
    search.tell(held, borne=True)
    search.tell(held * ratio, borne=False)
    expected = search.trials_left
    made = 0
    while (rate := search.rate) is not None:
        search.tell(rate, borne=False)
        made += 1
    assert made == expected
