"""Evaluations on the terminal."""

import io

from rich.console import Console

from cli.evaluation.judge import Evaluation, evaluate, evaluate_fit, judge
from cli.evaluation.show import show
from tests.cli.evaluation.sets import as_fixes, drawn, labelled


def shown(evaluation: Evaluation, **how: object) -> list[str]:
    """The lines."""
    text = io.StringIO()
    show(evaluation, Console(file=text, **how))  # type: ignore[arg-type]
    return text.getvalue().splitlines()


def evaluation(off_by: float) -> Evaluation:
    """Of a model whose truths lie `off_by` σ further out than it says; one recording had no answer."""
    answers, truths = drawn(12_000, off_by)
    given = as_fixes(answers)
    given[0] = "[bold]unusable (502)"
    return evaluate(judge(labelled(truths), given), 1.0)


def test_whole_and_regions_stand_below_each_other_with_the_verdict_last() -> None:
    header, whole, north, south, failed, verdict = shown(evaluation(1.0), width=200)
    assert header.split()[:5] == ["region", "count", "p50", "p95", "R95"]
    assert whole.split()[:2] == ["all", "11,999"]
    assert (north.split()[0], south.split()[0]) == ("north", "south")
    assert failed == "without an answer: 1 × [bold]unusable (502)"
    assert verdict == "calibrated"


def test_levels_that_are_off_are_named_with_their_interval() -> None:
    *_, off_50, _, _, off_95, verdict = shown(evaluation(3.0), width=200)
    assert off_50.startswith("off: the 50% ellipse holds ")
    assert off_95.startswith("off: the 95% ellipse holds ")
    assert verdict == "not calibrated"


def test_a_fit_says_what_it_changed() -> None:
    answers, truths = drawn(4000, off_by=2.0)
    told = shown(evaluate_fit(judge(labelled(truths), as_fixes(answers)), 1.5), width=200)[-2]
    assert told.startswith("σ scale 2.946 (1.964 ")
    assert "times what is in force), fitted on " in told


def test_it_fits_a_terminal_of_80_columns_whole() -> None:
    lines = shown(evaluation(1.0), width=80, force_terminal=True, color_system=None)
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
