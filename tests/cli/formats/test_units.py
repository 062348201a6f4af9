"""Numbers as people read them."""

import pytest

from cli.formats.units import degrees, metres, percent


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 m"),
        (0.01234, "0.0123 m"),
        (9.996, "10 m"),
        (99.9, "99.9 m"),
        (99.96, "100 m"),
        (999.4, "999 m"),
        (999.6, "1 km"),
        (1234.0, "1.23 km"),
        (99_949.0, "99.9 km"),
        (99_951.0, "100 km"),
        (12_345_678.0, "12,346 km"),
        (1e70, "1e+67 km"),
    ],
)
def test_lengths_have_three_figures_and_the_fitting_unit(value: float, text: str) -> None:
    assert metres(value) == text


def test_degrees_and_shares() -> None:
    assert degrees(-7.1234567) == "-7.123457°"
    assert [percent(share) for share in (0.68, 0.5, 0.999, 0.123456)] == [
        "68 %",
        "50 %",
        "99.9 %",
        "12.3456 %",
    ]
