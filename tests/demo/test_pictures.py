"""The pictures show what is in the trial, and are the same text every time."""

import re
from collections.abc import Callable
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from demo.evaluation import Trial
from demo.pictures import error_curves, first_fixes, fixes_map, reliability
from demo.scene import to_degrees
from demo.scores import Fixes


@pytest.fixture
def trial() -> Trial:
    rng = np.random.default_rng(0)
    truths = to_degrees(rng.uniform(-70_000, 70_000, (60, 2)))
    uncertainties = np.tile([9_000.0, 6_000.0, 0.5], (60, 1))
    fixes = Fixes(truths + rng.normal(0, 0.05, (60, 2)), uncertainties)
    return Trial(truths, (fixes, fixes), centroid=truths + 0.2, grid=truths + 0.05)


def test_every_picture_is_well_formed_and_repeatable(trial: Trial) -> None:
    draws: tuple[Callable[[], str], ...] = (
        lambda: first_fixes(trial),
        lambda: error_curves(trial),
        lambda: reliability(trial, trial),
    )
    for draw in draws:
        svg = draw()
        assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314 - our own text
        assert svg == draw()


def test_pictures_name_what_they_show(trial: Trial) -> None:
    assert {"Torino", "Genova", "Milano"} <= set(re.findall(r">(\w+)</text>", first_fixes(trial)))
    assert "tuned centroid" in error_curves(trial)
    assert "harder scene" in reliability(trial, trial)


def test_the_map_has_one_ellipse_for_each_fix(trial: Trial) -> None:
    few, many = (
        fixes_map(
            trial.truths[:count],
            Fixes(trial.fixes[0].positions[:count], trial.fixes[0].uncertainties[:count]),
            "",
        ).count("patch_")
        for count in (5, 25)
    )
    assert many - few == 20
