"""The reliability plot: nominal against observed coverage, and the errors, with matplotlib."""

import io
from typing import Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from cli.evaluation.judge import Evaluation
from gateway.uncertainty.calibration import TOLERANCE, coverage

UNSAID = {"svg": ("Date", "Creator", "Format", "Type"), "png": ("Software",)}
"""What matplotlib would add: the same evaluation gives the same picture."""

BLUE, RED, GREY = "#1f5fbf", "#c0392b", "#808080"
LEVELS = tuple(np.linspace(0.01, 0.99, 99).tolist())


def reliability(evaluation: Evaluation, title: str, kind: Literal["png", "svg"]) -> bytes:
    """Two panels as a picture file."""
    figure = Figure(figsize=(9.6, 4.4), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.suptitle(title)
    _coverage_panel(left, evaluation)
    _error_panel(right, evaluation)
    written = io.BytesIO()
    with rc_context({"svg.fonttype": "none"}):  # text that can be read, searched and spoken
        figure.savefig(written, format=kind, metadata=dict.fromkeys(UNSAID[kind]))
    return written.getvalue()


def _coverage_panel(axes, evaluation: Evaluation) -> None:  # type: ignore[no-untyped-def]
    curve = [coverage(evaluation.outcomes.distance, level) for level in LEVELS]
    low, high = zip(*(one.interval for one in curve), strict=True)
    within = [max(level - TOLERANCE, 0) for level in LEVELS], [min(level + TOLERANCE, 1) for level in LEVELS]
    axes.fill_between(LEVELS, *within, color=GREY, alpha=0.2, lw=0, label="nominal ± 2 points")
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.8)
    axes.fill_between(LEVELS, low, high, color=BLUE, alpha=0.25, lw=0, label="99 % interval")
    axes.plot(LEVELS, [one.share for one in curve], color=BLUE, lw=1.5, label="observed")
    for one in evaluation.overall.coverage:
        axes.plot(one.level, one.share, "o", ms=5, color=RED if one.off else BLUE)
        place, told = (one.level, one.share), f"{one.share:.1%}"
        axes.annotate(told, place, xytext=(-5, 4), textcoords="offset points", fontsize=8, ha="right")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="level of the ellipse", ylabel="share of truths inside it")
    axes.set_aspect("equal")
    axes.legend(loc="upper left", fontsize=8, frameon=False)


def _error_panel(axes, evaluation: Evaluation) -> None:  # type: ignore[no-untyped-def]
    """How far the truths were, and how far the model said that they might be."""
    for values, label, colour in (
        (evaluation.outcomes.error_m, "error", BLUE),
        (evaluation.outcomes.r95_m, "stated R95", GREY),
    ):
        ordered = np.sort(values)
        axes.step(ordered, np.arange(1, len(ordered) + 1) / len(ordered), color=colour, label=label)
    axes.set_xscale("log")
    axes.set(ylim=(0, 1), xlabel="metres", ylabel="share of recordings")
    axes.grid(alpha=0.3, which="both", lw=0.4)
    axes.legend(loc="upper left", fontsize=8, frameon=False)
