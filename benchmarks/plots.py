"""Plots as SVG, with matplotlib."""

import io
import statistics

import matplotlib as mpl

from benchmarks.record import Plot

mpl.use("svg")
from matplotlib import pyplot as plt

STYLE = {
    "svg.hashsalt": "fixgate",
    "svg.fonttype": "none",  # text that can be read, searched and spoken
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
}
OURS, THEIRS = "#0b6e99", "#9aa5b1"


def draw(plot: Plot) -> str:
    """The same plot gives the same bytes."""
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(
            figsize=(7.5, 0.6 + 0.38 * len(plot.series) if plot.kind == "bars" else 3.6)
        )
        (_bars if plot.kind == "bars" else _curves)(plot, axes)
        axes.set_title(plot.title, loc="left", fontsize=11)
        file = io.StringIO()
        figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
    return file.getvalue()


def _bars(plot: Plot, axes: "plt.Axes") -> None:
    """Medians; the range over the rounds as a line."""
    names = sorted(plot.series, key=lambda name: statistics.median(plot.series[name]))
    medians = [statistics.median(plot.series[name]) for name in names]
    spreads = [[m - min(plot.series[n]) for n, m in zip(names, medians, strict=True)]]
    spreads.append([max(plot.series[n]) - m for n, m in zip(names, medians, strict=True)])
    colours = [OURS if name == "fixgate" else THEIRS for name in names]
    axes.barh(names, medians, color=colours, xerr=spreads, error_kw={"elinewidth": 1, "ecolor": "#333333"})
    axes.bar_label(axes.containers[-1], labels=[f" {m:,.0f}" for m in medians], fontsize=9)
    axes.set_xlabel(plot.axis)


def _curves(plot: Plot, axes: "plt.Axes") -> None:
    for place, (name, points) in enumerate(sorted(plot.series.items(), key=lambda one: one[0] != "fixgate")):
        colour = OURS if place == 0 else f"C{place}"
        axes.plot(*zip(*points, strict=True), "o-", ms=3, lw=1.2, color=colour, label=name)
    if plot.line is not None:
        axes.axhline(plot.line, color="#b00020", lw=1, ls="--")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.set_ylabel(plot.axis)
    axes.set_xlabel(plot.across)
    if len(plot.series) > 1:
        axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
