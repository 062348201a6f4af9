"""The bars and their verdicts."""

from benchmarks.__main__ import SECTIONS
from benchmarks.bars import BARS, rows
from benchmarks.programs import PROGRAMS


def test_the_median_decides_on_which_side_of_a_bar_a_figure_is() -> None:
    ratio = next(bar for bar in BARS if bar.key == "1")
    assert ratio.verdict([0.5, 0.9, 2.0]) == "met"
    assert ratio.verdict([0.89]) == "**missed**"
    assert ratio.verdict([1.1]) == "reached"
    latency = next(bar for bar in BARS if bar.key == "5")
    assert latency.verdict([500]) == "met"
    assert latency.verdict([501]) == "**missed**"
    assert latency.verdict([399]) == "reached"


def test_a_bar_without_a_figure_says_so() -> None:
    assert [row[4] for row in rows({})] == ["not measured"] * len(BARS)
    assert rows({"1": [1.0, 2.0, 1.5]})[0] == (
        "1",
        "small, no cache, f32 tensor body: gateway ÷ Triton direct HTTP",
        "≥ 0.9",
        "≥ 1.1",
        "1.50 (1.00-2.00)",
        "reached",
    )


def test_every_bar_has_a_section_that_measures_it() -> None:
    assert {bar.section for bar in BARS} <= {*SECTIONS, *(program.section for program in PROGRAMS)}
    assert {str(number) for number in range(1, 13)} <= {bar.key for bar in BARS}
