"""The evaluation's pictures (Matplotlib), as SVG text without anything that changes from run to run."""

import io
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle

from demo.evaluation import Trial
from demo.scene import CENTRE, RECEIVER_POSITIONS, RECEIVERS, SCENE, offsets_m
from demo.scores import Fixes, Float64, coverage, errors_km, squared_mahalanobis

_STYLE: Any = {
    "svg.hashsalt": "fixgate",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_MODEL, _SECOND, _GRID, _CENTROID = "#0b5fa5", "#6aaed6", "#2a2a2a", "#b8860b"
_TRUTH = "#c0392b"
_SHOWN = 24


def fixes_map(truths: Float64, fixes: Fixes, title: str) -> str:
    """Truths, fixes and 95 % ellipses over the scene."""
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(7.0, 6.6), layout="constrained")
        _scene(axes)
        for index in range(len(truths)):
            _fix(axes, truths[index], fixes.positions[index], fixes.uncertainties[index])
        axes.plot([], [], "x", color=_TRUTH, label="truth")
        axes.plot([], [], "o", color=_MODEL, markersize=4, label="fix, with its 95 % ellipse")
        axes.legend(loc="upper left", frameon=True)
        axes.set_title(title)
        return _svg(figure)


def first_fixes(trial: Trial) -> str:
    """The map of the first recordings of the test series: nobody chose them."""
    first = trial.fixes[0]
    fixes = Fixes(first.positions[:_SHOWN], first.uncertainties[:_SHOWN])
    return fixes_map(trial.truths[:_SHOWN], fixes, f"Version 1 on the first {_SHOWN} test recordings")


def error_curves(trial: Trial) -> str:
    """How often the error stays below a distance, for every estimator."""
    curves = [
        ("grid: knows the true constants", trial.grid, _GRID, "--"),
        ("version 1", trial.fixes[0].positions, _MODEL, "-"),
        ("version 2", trial.fixes[1].positions, _SECOND, "-"),
        ("tuned centroid", trial.centroid, _CENTROID, "-"),
    ]
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
        share = np.linspace(0, 1, 201)
        for label, positions, colour, line in curves:
            error = np.quantile(errors_km(positions, trial.truths), share)
            axes.plot(error, share, line, color=colour, label=label)
        axes.axhline(0.5, color="0.8", linewidth=0.8, zorder=0)
        axes.set(xlim=(0, 80), ylim=(0, 1), xlabel="error, km", ylabel="fraction of test recordings")
        axes.legend(loc="lower right", frameon=False)
        return _svg(figure)


def reliability(test: Trial, harder: Trial) -> str:
    """How many truths the ellipses hold, against how many they promise to."""
    levels = np.linspace(0.01, 0.99, 99)
    curves = [
        ("version 1", test, 0, _MODEL, "-"),
        ("version 2", test, 1, _SECOND, "-"),
        ("version 1, harder scene", harder, 0, _TRUTH, "-"),
    ]
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(4.6, 4.4), layout="constrained")
        axes.plot([0, 1], [0, 1], ":", color="0.5", label="as promised")
        for label, trial, version, colour, line in curves:
            held = coverage(squared_mahalanobis(trial.fixes[version], trial.truths), levels)
            axes.plot(levels, held, line, color=colour, label=label)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set(xlabel="promised by the ellipse", ylabel="truths inside it")
        axes.legend(loc="upper left", frameon=False)
        return _svg(figure)


def _scene(axes: Axes) -> None:
    """The square that sources come from and the receivers' triangle, in km from the centre."""
    half = SCENE.half_width_m / 1000
    axes.add_patch(Rectangle((-half, -half), 2 * half, 2 * half, fill=False, edgecolor="0.75"))
    corners = offsets_m(CENTRE, RECEIVER_POSITIONS) / 1000
    axes.fill(*corners.T, facecolor="0.95", edgecolor="0.8")
    axes.plot(*corners.T, "^", color="black", markersize=7)
    for receiver, corner in zip(RECEIVERS, corners, strict=True):
        axes.annotate(
            receiver.id.title(), corner, xytext=(0, 8), textcoords="offset points", ha="center", weight="bold"
        )
    limit = 1.3 * half
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.set(xlabel="km east of the centre", ylabel="km north of the centre")


def _fix(axes: Axes, truth: Float64, position: Float64, uncertainty: Float64) -> None:
    fix, true = (offsets_m(CENTRE, point) / 1000 for point in (position, truth))
    sigma_north, sigma_east, rho = uncertainty[0] / 1000, uncertainty[1] / 1000, uncertainty[2]
    cov = rho * sigma_north * sigma_east
    values, vectors = np.linalg.eigh([[sigma_east**2, cov], [cov, sigma_north**2]])
    axes_km = 2 * np.sqrt(values * -2 * np.log(1 - 0.95))
    angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
    axes.add_patch(
        Ellipse(
            (fix[0], fix[1]),
            axes_km[1],
            axes_km[0],
            angle=angle,
            facecolor=(_MODEL, 0.04),
            edgecolor=(_MODEL, 0.5),
            linewidth=0.6,
        )
    )
    axes.plot(*zip(fix, true, strict=True), color="0.55", linewidth=0.7)
    axes.plot(*fix, "o", color=_MODEL, markersize=4)
    axes.plot(*true, "x", color=_TRUTH, markersize=5)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return text.getvalue()
