"""The evaluation page is what the committed figures say, and needs nothing from elsewhere."""

import json
import re
from typing import Any

import pytest

from demo import page
from demo.shipped import FIGURES, REPORT

COMMITTED: dict[str, Any] = json.loads(FIGURES.read_text())
PICTURES = {name: (REPORT / f"{name}.svg").read_text() for name in ("fixes-map", "errors", "reliability")}


def render(figures: dict[str, Any]) -> str:
    return page.render(
        figures,
        fixes_map=PICTURES["fixes-map"],
        errors=PICTURES["errors"],
        reliability=PICTURES["reliability"],
    )


def test_the_committed_page_is_made_of_the_committed_figures_and_pictures() -> None:
    assert (REPORT / "index.html").read_text() == render(COMMITTED)


def test_the_page_shows_every_estimators_figures_and_says_what_is_optimistic() -> None:
    text = render(COMMITTED)
    assert "2 dB is optimistic" in text
    for estimator in (*COMMITTED["versions"], *COMMITTED["baselines"].values()):
        for trial in ("test", "harder"):
            for region in ("all", "middle", "edge"):
                assert f"<td>{region}<td>{estimator[trial][region]['median_km']:.1f}<td>" in text


def test_the_page_fetches_nothing() -> None:
    text = render(COMMITTED)
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "<script" not in text
    assert "url(http" not in text


def test_a_figure_that_is_missing_is_an_error_not_a_gap() -> None:
    without = {name: value for name, value in COMMITTED.items() if name != "recordings"}
    with pytest.raises(KeyError, match="recordings"):
        render(without)


def test_all_that_is_committed_for_the_page_is_small() -> None:
    assert sum(path.stat().st_size for path in REPORT.iterdir()) < 1_500_000
