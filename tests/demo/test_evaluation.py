"""The committed figures meet the bars, and measuring again with the shipped models agrees with them."""

import json
from typing import Any

import numpy as np
import pytest

from demo.evaluation import Evaluation, Sizes, bars, evaluate, figures
from demo.scene import HARDER_SCENE, SCENE
from demo.shipped import FIGURES, VERSIONS

COMMITTED: dict[str, Any] = json.loads(FIGURES.read_text())
SIZES = Sizes(calibration=100, test=150, harder=50)


@pytest.fixture(scope="module")
def small() -> Evaluation:
    """The same evaluation on the first recordings of each series."""
    models = tuple(version.model for version in VERSIONS)
    return evaluate(models, COMMITTED["baselines"]["centroid"]["exponent"], SIZES)


def test_enough_recordings_were_measured() -> None:
    assert COMMITTED["recordings"]["calibration"] >= 8_000
    for version in COMMITTED["versions"]:
        assert version["test"]["all"]["recordings"] >= 10_000


def test_the_champion_is_well_ahead_of_the_centroid_and_near_the_physical_limit() -> None:
    ours = COMMITTED["versions"][0]["test"]["all"]["median_km"]
    assert ours <= 0.65 * COMMITTED["baselines"]["centroid"]["test"]["all"]["median_km"]
    assert ours <= 1.10 * COMMITTED["baselines"]["grid"]["test"]["all"]["median_km"]


@pytest.mark.parametrize("version", COMMITTED["versions"], ids=lambda one: f"version {one['version']}")
def test_every_ellipse_holds_what_it_promises_within_two_points(version: dict[str, Any]) -> None:
    held = version["test"]["all"]["coverage"]
    assert list(held) == ["50%", "68%", "90%", "95%"]
    for level, fraction in held.items():
        assert abs(fraction - float(level.rstrip("%")) / 100) <= 0.02


def test_the_bars_are_computed_from_the_figures_and_can_fail() -> None:
    version = COMMITTED["versions"][0]
    computed = bars(version, COMMITTED["baselines"])
    assert computed == COMMITTED["bars"][0]
    assert all(bar["met"] for bar in computed.values())
    worse = json.loads(json.dumps(version))
    worse["test"]["all"]["median_km"] *= 2
    worse["test"]["all"]["coverage"]["90%"] = 0.86
    assert not any(bar["met"] for bar in bars(worse, COMMITTED["baselines"]).values())


def test_the_harder_scene_is_harder_and_shown() -> None:
    assert COMMITTED["harder_scene"]["shadowing_sd_db"] == HARDER_SCENE.shadowing_sd_db == 4.0
    assert COMMITTED["harder_scene"]["transmit_sd_db"] == HARDER_SCENE.transmit_sd_db == 3.0
    assert COMMITTED["scene"]["shadowing_sd_db"] == SCENE.shadowing_sd_db == 2.0
    for estimator in (*COMMITTED["versions"], *COMMITTED["baselines"].values()):
        assert estimator["harder"]["all"]["median_km"] > estimator["test"]["all"]["median_km"]
        assert {"all", "middle", "edge"} == set(estimator["test"])


def test_measuring_again_agrees_with_the_committed_figures(small: Evaluation) -> None:
    again = figures(small, COMMITTED["versions"], COMMITTED["baselines"]["centroid"]["exponent"])
    for new, old in zip(again["versions"], COMMITTED["versions"], strict=True):
        assert new["test"]["all"]["recordings"] == SIZES.test
        assert new["sigma_scale"] == pytest.approx(old["sigma_scale"], rel=0.25)
        assert new["test"]["all"]["median_km"] == pytest.approx(old["test"]["all"]["median_km"], rel=0.25)
    for name in ("centroid", "grid"):
        new, old = again["baselines"][name]["test"]["all"], COMMITTED["baselines"][name]["test"]["all"]
        assert new["median_km"] == pytest.approx(old["median_km"], rel=0.25)


def test_trials_hold_calibrated_fixes(small: Evaluation) -> None:
    for fixes in small.test.fixes:
        assert fixes.positions.shape == (SIZES.test, 2)
        assert (fixes.uncertainties[:, :2] > 0).all()
        assert (np.abs(fixes.uncertainties[:, 2]) < 1).all()
