"""The page of results."""

from pathlib import Path

import msgspec
import pytest

from benchmarks import page, plots, record
from benchmarks.record import Plot, Result

RESULT = Result(
    section="small",
    title="A title",
    about="About it.",
    taken="2026-01-01 00:00",
    machine="A machine",
    load_before=0.5,
    rounds=3,
    columns=["served by", "requests/s"],
    rows=[["fixgate", "2.00"], ["other", "1.00"]],
    figures={"1": [1.0, 1.2, 1.1]},
    plots=[Plot("bars", "Rates", "requests/s", {"fixgate": [2.0, 2.5], "other": [1.0, 1.0]})],
)


def test_the_page_is_made_from_what_was_kept(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "small.json").write_bytes(msgspec.json.encode(RESULT))
    page.write(folder, tmp_path / "RESULTS.md")
    text = (tmp_path / "RESULTS.md").read_text()
    assert (
        "| 1 | small, no cache, f32 tensor body: gateway ÷ Triton direct HTTP | ≥ 0.9 | ≥ 1.1 | 1.10 " in text
    )
    assert "| fixgate | 2.00 |" in text
    assert "A machine" in text
    assert "results/small.svg" in text
    assert (folder / "small.svg").read_text().startswith("<?xml")


def test_the_committed_page_is_what_the_kept_results_give(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    for path in (*record.RESULTS.glob("*.json"), *record.RESULTS.glob("*.md")):
        (folder / path.name).write_bytes(path.read_bytes())
    page.write(folder, tmp_path / "RESULTS.md")
    assert (tmp_path / "RESULTS.md").read_text() == page.PAGE.read_text()


@pytest.mark.parametrize(
    "plot",
    [
        RESULT.plots[0],
        Plot("curves", "Latency", "ms", {"a": [[1, 2], [2, 3]], "b": [[1, 4]]}, line=3, across="rate"),
        Plot("curves", "Nothing was borne", "ms", {"a": []}),
    ],
)
def test_a_plot_is_the_same_svg_every_time(plot: Plot) -> None:
    drawn = plots.draw(plot)
    assert drawn.rstrip().endswith("</svg>")
    assert plots.draw(plot) == drawn
