"""What is inside a panel: curves or a heatmap, their axes."""

from math import ceil, log2

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, Locator, MaxNLocator, MultipleLocator

from benchmarks.dashboards.board import Panel
from benchmarks.dashboards.series import Drawn, Page, Series
from benchmarks.dashboards.units import shown

INK, SOFT, RULE, MARK = "#1f2933", "#5b6773", "#e3e7eb", "#6f56c4"
COLOURS = (
    "#0b6e99", "#d9822b", "#2e8540", "#b3365b", "#8a6d3b", "#17a2a2", "#7f8c8d", "#c0ca33", "#e377c2",
)  # fmt: skip
DASHES = ("-", "--", ":")
NAMED = {"red": "#b00020", "orange": "#d9822b", "green": "#0a7d33", "blue": "#0b6e99", "transparent": INK}


def fill(axes: Axes, drawn: Drawn, page: Page) -> None:
    """Draw a panel's series."""
    if drawn.panel.kind == "heatmap":
        _heatmap(axes, drawn)
    else:
        _curves(axes, drawn)
        _limits(axes, drawn)
        axes.yaxis.set_major_locator(_ticks(drawn.panel.unit, axes.get_ylim()[1]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, drawn.panel.unit)))
    for at in page.marks:
        axes.axvline(at, color=MARK, lw=0.9, ls=(0, (4, 3)))
    axes.set_xlim(0, page.minutes)
    axes.grid(axis="y", color=RULE, lw=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=2, colors=SOFT, labelsize=7.5)
    for spine in axes.spines.values():
        spine.set_color("#b8c0c8")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))


def colour_of(panel: Panel, value: float) -> str:
    """By the panel's steps."""
    colour = next((colour for least, colour in reversed(panel.steps) if value >= least), "blue")
    return NAMED.get(colour, colour)


def _curves(axes: Axes, drawn: Drawn) -> None:
    for place, one in enumerate(drawn.series):
        colour, dash = COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]
        axes.plot(*_with_gaps(one), dash, color=colour, lw=1.3, label=one.name or None)
    if drawn.panel.lines:
        for value, colour in drawn.panel.steps:
            if np.isfinite(value):
                axes.axhline(value, color=NAMED.get(colour, colour), lw=0.9, ls="--")


def _with_gaps(one: Series) -> tuple[list[float], list[float]]:
    """Nothing is drawn where there was no number."""
    times, values = list(one.at), list(one.values)
    for place in reversed(range(1, len(times))):
        if times[place] - times[place - 1] > 1.5 * one.step:
            times.insert(place, times[place])
            values.insert(place, float("nan"))
    return times, values


def _limits(axes: Axes, drawn: Drawn) -> None:
    """From zero, or from below it; to what the panel says, or to the highest."""
    panel = drawn.panel
    values = [value for one in drawn.series for value in one.values]
    lowest, highest = min(values, default=0.0), max(values, default=0.0)
    axes.set_ylim(bottom=min(0.0, lowest) if panel.least is None else panel.least)
    if panel.most is not None:
        axes.set_ylim(top=panel.most * 1.04)
    elif highest <= 0:
        axes.set_ylim(top=1.0)


def _ticks(unit: str, top: float) -> Locator:
    """Round numbers; of bytes, round in powers of two."""
    return MultipleLocator(2 ** ceil(log2(top / 5))) if unit == "bytes" and top > 0 else MaxNLocator(nbins=5)


def _heatmap(axes: Axes, drawn: Drawn) -> None:
    """How many fell into each bucket: differences of the cumulative counts."""
    times = sorted({at for one in drawn.series for at in one.at})
    counts = np.zeros((len(drawn.series), len(times)))
    for row, one in enumerate(drawn.series):
        counts[row, np.searchsorted(times, one.at)] = one.values
    inside = np.diff(counts, axis=0, prepend=0.0).clip(min=0.0)
    used = np.flatnonzero(inside.sum(axis=1))
    if not len(used):
        return
    first, last = max(0, used.min() - 1), min(len(inside) - 1, used.max() + 1)
    rows = inside[first : last + 1]
    edges = np.append(times, times[-1] + (times[-1] - times[0]) / max(1, len(times) - 1))
    mesh = axes.pcolormesh(edges, np.arange(len(rows) + 1), rows, cmap="Blues", rasterized=True)
    bounds = [one.sort for one in drawn.series[first : last + 1]]
    axes.set_yticks(
        np.arange(len(rows)) + 1,
        [f"≤ {shown(b, drawn.panel.unit)}" if np.isfinite(b) else "" for b in bounds],
    )
    inset = axes.inset_axes((1.02, 0.0, 0.02, 1.0))
    axes.figure.colorbar(mesh, cax=inset)
    inset.tick_params(labelsize=7, length=2, colors=SOFT)
