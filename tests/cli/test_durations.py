"""Durations as people write them."""

import pytest

from cli.durations import seconds, shown


@pytest.mark.parametrize(
    ("text", "found"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("45", 45), ("0.5s", 0.5), ("1.5h", 5400)],
)
def test_a_duration_is_read(text: str, found: float) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "soon", "5 m", "5x", "m", "-5s", "0s", "0", "5m!"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no duration|must be above 0"):
        seconds(text)


@pytest.mark.parametrize("text", ["1m30s", "5m", "2d", "1h5s", "0.5s", "1d1h1m1s"])
def test_a_duration_is_shown_as_it_would_be_written(text: str) -> None:
    assert shown(seconds(text)) == text
