"""The pictures of docs/uncertainty.md: `python docs/images/uncertainty.py` (with the extra `evaluate`)."""
# ruff: noqa: INP001

import math
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Circle, Polygon, Rectangle

from gateway.domain import Covariance, Fix
from gateway.uncertainty.calibration import LEVELS, TOLERANCE, coverage
from gateway.uncertainty.ellipse import Ellipse, cep50, outline, r95, scale_at, standard_ellipse
from gateway.uncertainty.footprint import footprint

HERE = Path(__file__).parent
BLUE, ORANGE, GREEN, RED, GREY = "#1f5fbf", "#d9822b", "#2a8a4a", "#c0392b", "#777777"
COVARIANCE = Covariance(812.0**2, 640.0**2, 0.434 * 812 * 640)  # the example of the API's documentation
ROUND = np.linspace(0, 2 * math.pi, 181)


def main() -> None:
    """Write the four pictures."""
    mpl.rcParams.update({"font.size": 10, "svg.hashsalt": "fixgate"})
    for draw in (ellipse, circles, earth, calibration):
        figure = Figure(dpi=110, layout="constrained")
        draw(figure)
        figure.savefig(HERE / f"uncertainty-{draw.__name__}.svg", metadata={"Date": None})


def plane(figure, half_width_m: float):  # type: ignore[no-untyped-def]
    """Axes of the east-north plane with the same samples every time."""
    axes = figure.subplots()
    matrix = [[COVARIANCE.var_east, COVARIANCE.cov], [COVARIANCE.cov, COVARIANCE.var_north]]
    samples = np.random.default_rng(4).multivariate_normal([0, 0], matrix, 400)
    axes.plot(*samples.T, ".", ms=2.5, color=GREY, alpha=0.6, zorder=0)
    axes.plot(0, 0, "+", ms=11, mew=1.8, color="black")
    axes.set(xlim=(-half_width_m, half_width_m), ylim=(-half_width_m * 0.8, half_width_m * 0.8))
    axes.set(xlabel="metres east of the position", ylabel="metres north")
    axes.set_aspect("equal")
    return axes


def ellipse(figure) -> None:  # type: ignore[no-untyped-def]
    """Marginal σ, axes, direction, two levels."""
    figure.set_size_inches(8, 6.2)
    axes = plane(figure, 2700)
    standard = standard_ellipse(COVARIANCE)
    for scale, colour, text in (
        (1.0, GREEN, "1 σ: holds 39 %"),
        (scale_at(0.68), BLUE, "level 0.68: 1.51 σ"),
        (scale_at(0.95), ORANGE, "level 0.95: 2.45 σ"),
    ):
        axes.plot(*outline(standard.scaled(scale), ROUND), color=colour, lw=1.8, label=text)
    drawn = standard.scaled(scale_at(0.95))
    tips = [tuple(float(one[0]) for one in outline(drawn, np.array([t]))) for t in (0, math.pi / 2)]
    for tip in tips:
        axes.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "-|>", "color": ORANGE, "lw": 1.4})
    label(axes, tips[0], f"semi_major_m\n{drawn.semi_major_m:,.0f}", ORANGE, (6, 12))
    label(axes, tips[1], f"semi_minor_m\n{drawn.semi_minor_m:,.0f}", ORANGE, (-78, 10))
    sigma_x, sigma_y = math.sqrt(COVARIANCE.var_east), math.sqrt(COVARIANCE.var_north)
    axes.add_patch(
        Rectangle((-sigma_x, -sigma_y), 2 * sigma_x, 2 * sigma_y, fill=False, ls=":", lw=1.4, color=GREEN)
    )
    label(axes, (-300, -sigma_y), f"2 · sigma_x = {2 * sigma_x:,.0f}", GREEN, (0, -12))
    label(axes, (-sigma_x, 0), f"2 · sigma_y\n= {2 * sigma_y:,.0f}", GREEN, (-58, -6))
    theta = standard.theta_deg
    axes.plot([0, 1450], [0, 0], color="black", lw=0.7)
    axes.plot([0, 0], [0, 1450], color="black", lw=0.7)
    axes.add_patch(Arc((0, 0), 2200, 2200, theta1=0, theta2=theta, lw=1.3))
    axes.add_patch(Arc((0, 0), 2600, 2600, theta1=theta, theta2=90, lw=1.3, ls="--"))
    label(axes, (1060, 280), f"theta\n{theta:.1f}°", "black", (6, -8))
    label(axes, (330, 1260), f"orientation_deg\n{standard.orientation_deg:.1f}°", "black", (4, 6))
    axes.text(1470, 0, "E", va="center")
    axes.text(0, 1470, "N", ha="center")
    axes.legend(loc="lower right", fontsize=9)


def label(axes, place, text, colour, shift) -> None:  # type: ignore[no-untyped-def]
    """Text beside a place, readable over the samples."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
    axes.annotate(text, place, xytext=shift, textcoords="offset points", color=colour, fontsize=9, bbox=box)


def circles(figure) -> None:  # type: ignore[no-untyped-def]
    """CEP50, R95 and the circle that `confidence` is about, against the 95 % ellipse."""
    figure.set_size_inches(8, 6.2)
    axes = plane(figure, 2700)
    standard = standard_ellipse(COVARIANCE)
    axes.plot(
        *outline(standard.scaled(scale_at(0.95)), ROUND), color=ORANGE, lw=1.2, ls="--", label="95 % ellipse"
    )
    for radius, colour, text in (
        (cep50(standard), GREEN, f"cep50_m {cep50(standard):,.0f}: half of the sources"),
        (1000.0, GREY, "confidence_radius_m 1,000: confidence 0.63"),
        (r95(standard), BLUE, f"r95_m {r95(standard):,.0f}: 95 % of them"),
    ):
        axes.add_patch(Circle((0, 0), radius, fill=False, lw=1.8, color=colour, label=text))
    axes.legend(loc="lower right", fontsize=9)


def earth(figure) -> None:  # type: ignore[no-untyped-def]
    """Outlines on a plain map: they bend, are cut, and reach round it."""
    figure.set_size_inches(9, 4.9)
    axes = figure.subplots()
    shapes = (
        (Fix(45.0, 7.6, COVARIANCE), Ellipse(2.0e6, 0.6e6, 20.0), BLUE, "2,000 × 600 km"),
        (Fix(-17.0, 176.0, COVARIANCE), Ellipse(1.8e6, 0.9e6, -15.0), ORANGE, "cut at the antimeridian"),
        (Fix(82.0, -95.0, COVARIANCE), Ellipse(1.6e6, 1.2e6, 0.0), GREEN, "north pole inside"),
        (Fix(-30.0, -60.0, COVARIANCE), Ellipse(4.5e6, 0.15e6, 60.0), RED, "a needle follows its geodesic"),
    )
    for fix, shape, colour, text in shapes:
        for index, ring in enumerate(footprint(fix, shape).rings):
            axes.add_patch(Polygon(ring, closed=True, alpha=0.3, color=colour, lw=0))
            axes.plot(*ring.T, color=colour, lw=1.3, label=text if index == 0 else None)
        axes.plot(fix.longitude, fix.latitude, "+", color="black", ms=8)
    axes.set(xlim=(-180, 180), ylim=(-90, 90), xlabel="longitude", ylabel="latitude")
    axes.set_xticks(range(-180, 181, 30))
    axes.set_yticks(range(-90, 91, 30))
    axes.grid(lw=0.4, alpha=0.6)
    axes.set_aspect("equal")
    axes.legend(loc="lower right", bbox_to_anchor=(0.97, 0.03), fontsize=9)


def calibration(figure) -> None:  # type: ignore[no-untyped-def]
    """Reliability of three models: one states its σ, one half of it, one double."""
    figure.set_size_inches(6.4, 5.6)
    axes = figure.subplots()
    levels = np.linspace(0.005, 0.995, 199)
    axes.fill_between(
        [0, 1], [-TOLERANCE, 1 - TOLERANCE], [TOLERANCE, 1 + TOLERANCE], color=GREY, alpha=0.25, lw=0
    )
    distance = np.random.default_rng(9).rayleigh(1.0, 10_000)
    for stated, colour, text, at in (
        (2.0, ORANGE, "timid: states 2 σ,\nellipses too large", (0.35, 0.7)),
        (1.0, GREEN, "calibrated", (0.68, 0.6)),
        (0.5, RED, "boastful: states ½ σ,\nellipses too small", (0.62, 0.08)),
    ):
        shares = [coverage(distance / stated, level).share for level in levels]
        axes.plot(levels, shares, color=colour, lw=1.8)
        marks = [coverage(distance / stated, level).share for level in LEVELS]
        axes.plot(LEVELS, marks, "o", color=colour, ms=5)
        label(axes, at, text, colour, (0, 0))
    axes.set(xlim=(0, 1), ylim=(0, 1.005), xlabel="level of the ellipse", ylabel="share of truths inside it")
    axes.set_aspect("equal")


if __name__ == "__main__":
    main()
