"""The evaluation as one HTML page that needs nothing else."""

from pathlib import Path
from string import Template
from typing import Any

from demo.scores import LEVELS

_TEMPLATE = Path(__file__).with_name("page.template.html")
_TRIALS = {"test": "Test series", "harder": "Harder scene"}
_REGIONS = ("all", "middle", "edge")


def render(figures: dict[str, Any], *, fixes_map: str, errors: str, reliability: str) -> str:
    """The page; pictures are SVG text, `figures` the content of `evaluation.json`."""
    scene, harder = figures["scene"], figures["harder_scene"]
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        exponent=f"{scene['exponent']:g}",
        shadowing=f"{scene['shadowing_sd_db']:g}",
        transmit=f"{scene['transmit_sd_db']:g}",
        harder_shadowing=f"{harder['shadowing_sd_db']:g}",
        harder_transmit=f"{harder['transmit_sd_db']:g}",
        centroid_exponent=f"{figures['baselines']['centroid']['exponent']:g}",
        calibration=f"{figures['recordings']['calibration']:,}",
        tables="\n".join(_table(figures, trial, title) for trial, title in _TRIALS.items()),
        map=_inline(fixes_map),
        errors=_inline(errors),
        reliability=_inline(reliability),
    )


def _table(figures: dict[str, Any], trial: str, title: str) -> str:
    """Errors and coverage of every estimator, by region, in one trial."""
    estimators = {f"version {version['version']}": version for version in figures["versions"]}
    estimators |= figures["baselines"]
    rows = [_row(name, region, one[trial][region]) for name, one in estimators.items() for region in _REGIONS]
    total = figures["versions"][0][trial]["all"]["recordings"]
    columns = ("estimator", "where", "median km", "rms km", "p95 km", *(f"{level:.0%}" for level in LEVELS))
    head = "".join(f"<th>{column}" for column in columns)
    return f"<h2>{title}: {total:,} recordings</h2>\n<table>\n<tr>{head}\n{''.join(rows)}</table>"


def _row(name: str, region: str, scores: dict[str, Any]) -> str:
    held = scores.get("coverage", {})
    coverage = "".join(
        f"<td>{held[level] * 100:.1f}" if held else "<td></td>" for level in (f"{p:.0%}" for p in LEVELS)
    )
    errors = "".join(f"<td>{scores[one]:.1f}" for one in ("median_km", "rms_km", "p95_km"))
    return f"<tr><td>{name}<td>{region}{errors}{coverage}\n"


def _inline(svg: str) -> str:
    """The picture from its own tag on: HTML takes no XML declaration."""
    return svg[svg.index("<svg") :]
