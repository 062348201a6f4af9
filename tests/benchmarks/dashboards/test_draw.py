"""Pages from made-up answers of Prometheus."""

import struct
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.dashboards.board import Board, boards
from benchmarks.dashboards.draw import save
from benchmarks.dashboards.series import page
from tests.prometheus_server import Prometheus

START, END = 1_000.0, 1_600.0
LABELS = {"model": "loc", "version": "3", "outcome": "ok", "stage": "triton", "level": "0.9"}


class Made:
    """Answers every query with the same numbers, but for histograms and the query of marks."""

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        times = [start + step * place for place in range(int((end - start) / step) + 1)]
        if "changes(" in expression:
            return [{"metric": {}, "values": [(at, "1") for at in (*times[10:14], *times[50:53])]}]
        if expression.startswith("sum by (le)"):
            bounds = ("10", "100", "1000", "+Inf")
            return [
                {"metric": {"le": bound}, "values": [(at, str(place * 2)) for at in times]}
                for place, bound in enumerate(bounds)
            ]
        values = [(at, "NaN" if at < start + 60 else str(at - start)) for at in times]
        return [{"metric": LABELS, "values": values}]


class Nothing:
    """Has no series."""

    def query_range(self, *_: object) -> list[dict[str, Any]]:
        return []


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.name)
def test_a_page_is_drawn(board: Board, tmp_path: Path) -> None:
    made = page(board, cast(Prometheus, Made()), START, END)
    assert made.empty == []
    assert list(made.marks) == pytest.approx([20 / 60, 100 / 60])
    save(made, tmp_path / "page.png")
    width, height = struct.unpack(">II", (tmp_path / "page.png").read_bytes()[16:24])
    assert width == 1500
    assert height > 500


def test_panels_without_numbers_are_named_and_drawn_all_the_same(tmp_path: Path) -> None:
    for board in boards():
        made = page(board, cast(Prometheus, Nothing()), START, END)
        assert made.empty == [panel.title for panel in board.panels]
        save(made, tmp_path / "page.png")


def test_what_is_no_number_leaves_a_gap() -> None:
    made = page(boards()[0], cast(Prometheus, Made()), START, END)
    assert made.panels[0].series[0].at[0] == pytest.approx(1.0)
