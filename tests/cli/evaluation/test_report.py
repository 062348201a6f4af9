"""The report: a page, a plot, and figures that agree with each other."""

import json
import re
import struct
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cli.evaluation.document import brief, document, metrics
from cli.evaluation.judge import Evaluation, evaluate, evaluate_fit, judge
from cli.evaluation.report import write
from tests.cli.evaluation.sets import as_fixes, drawn, labelled

VOID = {"meta", "br", "img"}


class Page(HTMLParser):
    """Text of a page whose tags must nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, _: object) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, _: object) -> None:
        self.seen.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def honest() -> Evaluation:
    """A calibrated model."""
    answers, truths = drawn(2000)
    return evaluate(judge(labelled(truths), as_fixes(answers)), 1.0)


@pytest.fixture(scope="module")
def boastful() -> Evaluation:
    """A model that states a third of its σ, and fails sometimes."""
    answers, truths = drawn(2000, off_by=3.0)
    given = as_fixes(answers)
    given[0] = "<b>unusable</b> (502)"
    return evaluate(judge(labelled(truths), given), 1.0)


def test_the_figures_are_plain_numbers(honest: Evaluation, boastful: Evaluation) -> None:
    built = json.loads(json.dumps(document(honest), allow_nan=False))
    assert built["calibrated"] is True
    assert built["recordings"] == 2000
    assert [one["level"] for one in built["coverage"]] == [0.5, 0.68, 0.9, 0.95]
    for one in built["coverage"]:
        low, high = one["interval"]
        assert low < one["share"] < high
        assert not one["off"]
    assert built["error_m"]["p50"] < built["error_m"]["p95"]
    assert built["nees"] == pytest.approx(2, abs=0.3)
    assert set(built["regions"]) == {"north", "south"}
    assert "fit" not in built
    assert document(boastful)["failed"] == 1
    assert document(boastful)["calibrated"] is False


def test_a_fit_is_in_the_figures() -> None:
    answers, truths = drawn(2000, off_by=3.0)
    fitted = evaluate_fit(judge(labelled(truths), as_fixes(answers)), 1.0)
    built = document(fitted)
    assert built["sigma_scale"] == pytest.approx(3, rel=0.1)
    assert built["fit"]["worst_miss_after"] < built["fit"]["worst_miss_before"]
    assert json.loads(brief(built))["fitted"] is True


def test_metrics_and_tag_say_the_same(honest: Evaluation) -> None:
    figures, tag = metrics(honest), json.loads(brief(document(honest)))
    assert figures["fixgate/coverage_68"] == pytest.approx(tag["coverage"]["0.68"], abs=1e-4)
    assert figures["fixgate/error_p50_m"] == pytest.approx(tag["error_p50_m"], abs=1e-3)
    assert figures["fixgate/recordings"] == tag["recordings"] == 2000
    assert len(brief(document(honest))) < 5000


def test_the_report_is_a_page_a_picture_and_the_figures(tmp_path: Path, honest: Evaluation) -> None:
    folder = tmp_path / "new" / "report"
    write(folder, honest, {"at": 1_767_225_600.0, **document(honest)}, "localization version 3")
    assert sorted(path.name for path in folder.iterdir()) == [
        "evaluation.json",
        "index.html",
        "reliability.png",
    ]
    assert json.loads((folder / "evaluation.json").read_text())["calibrated"] is True
    png = (folder / "reliability.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (1440, 660)


def test_the_page_is_whole_needs_nothing_else_and_gives_the_verdict(
    tmp_path: Path, honest: Evaluation, boastful: Evaluation
) -> None:
    for evaluation, verdict in ((honest, "Calibrated."), (boastful, "Not calibrated.")):
        write(tmp_path, evaluation, {"at": 1_767_225_600.0}, "a <model> & more")
        text = (tmp_path / "index.html").read_text()
        page = Page()
        page.feed(text)
        page.close()
        assert page.open == []
        assert "svg" in page.seen
        assert "script" not in page.seen
        assert all(link.startswith("#") for link in re.findall(r'(?:href|src)="([^"]*)"', text))
        assert re.findall(r"url\((?!#)", text) == []
        assert verdict in page.text
        assert "a <model> & more" in page.text
        assert "2026-01-01 00:00 UTC" in page.text
    assert "1 × <b>unusable</b> (502)" in page.text
    assert 'class="bad"' in text
