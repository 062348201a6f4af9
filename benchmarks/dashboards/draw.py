"""A dashboard's page as a PNG, laid out as Grafana would."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

from benchmarks.dashboards.board import Place
from benchmarks.dashboards.series import Drawn, Page
from benchmarks.dashboards.units import shown

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmarks.dashboards.plot import INK, MARK, SOFT, colour_of, fill

COLUMNS, WIDTH, ROW, HEAD, GAP, DPI = 24, 15.0, 0.36, 0.55, 0.07, 100
"""The grid's columns; inches of the page, of a row, of the page's heading, around a panel; dots an inch."""

LEFT, RIGHT, BAR, TOP, BOTTOM, LINE = 0.68, 0.2, 0.6, 0.4, 0.28, 0.16
"""Inches between a panel's border and its axes; beside a heatmap; of a line of the legend."""

STYLE = {"font.family": "DejaVu Sans", "font.size": 8, "axes.spines.top": False, "axes.spines.right": False}
PAPER, BORDER = "#f1f3f5", "#d5dbe1"
BIG = 22.0


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a panel lies, in inches from the lower left of a page of `height`."""

    figure: Figure
    height: float
    left: float
    bottom: float
    width: float
    tall: float

    def write(self, right: float, down: float, text: str, **style: object) -> None:
        """Text, so many inches from the panel's upper left corner."""
        self.figure.text(
            (self.left + right) / WIDTH, (self.bottom + self.tall - down) / self.height, text, **style
        )  # type: ignore[call-overload, unused-ignore]

    def axes(self, legend: float, right: float) -> Axes:
        """Room for curves, above a legend of that height."""
        return self.figure.add_axes((
            (self.left + LEFT) / WIDTH,
            (self.bottom + BOTTOM + legend) / self.height,
            (self.width - LEFT - right) / WIDTH,
            (self.tall - TOP - BOTTOM - legend) / self.height,
        ))  # fmt: skip


def save(page: Page, path: Path) -> None:
    """Draw it into a file."""
    rows = max(panel.place.y + panel.place.height for panel in page.board.panels)
    height = HEAD + rows * ROW + GAP
    with mpl.rc_context(STYLE):
        figure = plt.figure(figsize=(WIDTH, height), facecolor=PAPER)
        head = Frame(figure, height, 0, height - HEAD, WIDTH, HEAD)
        head.write(0.12, 0.34, page.board.title, fontsize=14, color=INK, weight="bold")
        about = f"a stack on one machine, over {page.minutes:.0f} minutes"
        head.write(WIDTH - 0.12, 0.34, about, fontsize=9, color=SOFT, ha="right")
        if page.marks:
            head.write(WIDTH / 2, 0.34, "┆ another champion", fontsize=9, color=MARK, ha="center")
        for one in page.panels:
            _panel(_frame(figure, one.panel.place, height), one, page)
        figure.savefig(path, dpi=DPI, facecolor=PAPER, metadata={"Software": None})
        plt.close(figure)


def _frame(figure: Figure, place: Place, height: float) -> Frame:
    """Its border drawn."""
    column = (WIDTH - GAP) / COLUMNS
    left, width = GAP + place.x * column, place.width * column - GAP
    bottom, tall = height - HEAD - (place.y + place.height) * ROW + GAP, place.height * ROW - GAP
    border = Rectangle(
        (left / WIDTH, bottom / height), width / WIDTH, tall / height,
        transform=figure.transFigure, facecolor="white", edgecolor=BORDER, lw=0.6, zorder=-1,
    )  # fmt: skip
    figure.add_artist(border)
    return Frame(figure, height, left, bottom, width, tall)


def _panel(frame: Frame, drawn: Drawn, page: Page) -> None:
    frame.write(0.1, 0.19, drawn.panel.title, fontsize=9.5, color=INK, weight="bold")
    if drawn.panel.kind == "stat":
        _number(frame, drawn)
        return
    frame.write(0.1, 0.33, drawn.panel.about, fontsize=7, color=SOFT)
    heatmap = drawn.panel.kind == "heatmap"
    names = [] if heatmap else [one.name for one in drawn.series if one.name]
    columns = max(
        1, min(len(names), int((frame.width - 0.2) / (0.42 + 0.056 * max(map(len, names), default=1))))
    )
    legend = LINE * -(-len(names) // columns)
    axes = frame.axes(legend, BAR if heatmap else RIGHT)
    fill(axes, drawn, page)
    if names:
        axes.legend(
            loc="upper left",
            bbox_to_anchor=((frame.left + 0.1) / WIDTH, (frame.bottom + legend + 0.05) / frame.height),
            bbox_transform=frame.figure.transFigure, ncols=columns, frameon=False, fontsize=7,
            handlelength=1.2, borderaxespad=0, columnspacing=1.2, labelspacing=0.3, handletextpad=0.4,
        )  # fmt: skip


def _number(frame: Frame, drawn: Drawn) -> None:
    value = drawn.series[0].values[-1] if drawn.series else float("nan")
    text = shown(value, drawn.panel.unit) or "no data"
    size = min(BIG, frame.width * 105 / len(text))
    style = {"fontsize": size, "color": colour_of(drawn.panel, value), "ha": "center", "va": "center"}
    frame.write(frame.width / 2, frame.tall / 2 + 0.1, text, **style)
