"""docs/demo.md states the committed figures, and its pictures exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from demo.shipped import FIGURES, HERE

DOCUMENT = (HERE.parent / "docs" / "demo.md").read_text()
COMMITTED: dict[str, Any] = json.loads(FIGURES.read_text())


def row(name: str, scores: dict[str, Any]) -> str:
    """A table's row as the document has it."""
    errors = [f"{scores[one]:.1f}" for one in ("median_km", "rms_km", "p95_km")]
    held = [f"{one * 100:.1f}" for one in scores.get("coverage", {}).values()] or ["–"] * 4
    return f"| {' | '.join([name, *errors, *held])} |"


@pytest.mark.parametrize("trial", ["test", "harder"])
def test_every_estimators_row_is_the_committed_one(trial: str) -> None:
    for version in COMMITTED["versions"]:
        assert row(f"version {version['version']}", version[trial]["all"]) in DOCUMENT
    for name, baseline in COMMITTED["baselines"].items():
        assert row(name, baseline[trial]["all"]) in DOCUMENT


def test_the_regions_rows_are_the_committed_ones() -> None:
    for region in ("middle", "edge"):
        assert row(region, COMMITTED["versions"][0]["test"][region]) in DOCUMENT


def test_sizes_scales_and_ratios_are_the_committed_ones() -> None:
    for version in COMMITTED["versions"]:
        for figure in (
            f"{version['parameters']:,}",
            f"{version['bytes'] / 1000:.0f} kB",
            f"{version['training_recordings']:,} recordings",
            f"{version['sigma_scale']:g}",
        ):
            assert f" {figure} |" in DOCUMENT
    for name in ("median_over_centroid", "median_over_grid"):
        assert f"{COMMITTED['bars'][0][name]['measured']:.2f}" in DOCUMENT


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", DOCUMENT)
    assert links
    for link in links:
        assert (HERE.parent / "docs" / Path(link)).resolve().is_file(), link
