"""Calibrate the exported models and measure them on recordings that neither training nor calibration saw."""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from demo.baselines import bayes_grid, centroid
from demo.dataset import SEEDS, Dataset, simulate_many
from demo.inference import predict_each
from demo.scene import HARDER_SCENE, SCENE, Scene
from demo.scores import LEVELS, Fixes, Float64, fitted_sigma_scale, scores_by_region

MEDIAN_OVER_CENTROID, MEDIAN_OVER_GRID, COVERAGE_MISS = 0.65, 1.1, 0.02


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many recordings each series has."""

    calibration: int = 10_000
    test: int = 12_000
    harder: int = 10_000

    @property
    def total(self) -> int:
        """All of them."""
        return self.calibration + self.test + self.harder


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One series of recordings with every estimator's answers; fixes calibrated, one entry per model."""

    truths: Float64
    fixes: tuple[Fixes, ...]
    centroid: Float64
    grid: Float64


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """σ scale of each model, and the two trials."""

    sigma_scales: tuple[float, ...]
    test: Trial
    harder: Trial


def evaluate(models: tuple[Path, ...], exponent: float, sizes: Sizes) -> Evaluation:
    """Fit each model's σ scale on one series, then try all on two others.

    Args:
        models: ONNX files.
        exponent: the centroid's, tuned on training data.
    """
    draw = partial(simulate_many, reduce=partial(predict_each, models))
    calibration = draw(SCENE, SEEDS.calibration, sizes.calibration)
    scales = tuple(
        fitted_sigma_scale(fixes, calibration.positions) for fixes in _fixes(calibration, len(models))
    )
    return Evaluation(
        scales,
        _trial(SCENE, draw(SCENE, SEEDS.test, sizes.test), scales, exponent),
        _trial(HARDER_SCENE, draw(HARDER_SCENE, SEEDS.harder, sizes.harder), scales, exponent),
    )


def _fixes(data: Dataset, models: int) -> list[Fixes]:
    answers = data.reduced.astype(np.float64)
    return [Fixes(answers[:, index, :2], answers[:, index, 2:]) for index in range(models)]


def _trial(scene: Scene, data: Dataset, scales: tuple[float, ...], exponent: float) -> Trial:
    fixes = zip(_fixes(data, len(scales)), scales, strict=True)
    return Trial(
        truths=data.positions,
        fixes=tuple(one.scaled(scale) for one, scale in fixes),
        centroid=centroid(data.levels_dbfs, exponent),
        grid=bayes_grid(scene, data.levels_dbfs),
    )


def figures(evaluation: Evaluation, about: list[dict[str, Any]], exponent: float) -> dict[str, Any]:
    """Everything measured, ready for JSON; `about` describes each model."""
    trials = {"test": evaluation.test, "harder": evaluation.harder}
    versions = [
        {
            **description,
            "sigma_scale": scale,
            **{
                name: scores_by_region(
                    trial.fixes[index].positions, trial.truths, trial.fixes[index].uncertainties
                )
                for name, trial in trials.items()
            },
        }
        for index, (description, scale) in enumerate(zip(about, evaluation.sigma_scales, strict=True))
    ]
    baselines = {
        "centroid": {
            "exponent": exponent,
            **{name: scores_by_region(trial.centroid, trial.truths) for name, trial in trials.items()},
        },
        "grid": {name: scores_by_region(trial.grid, trial.truths) for name, trial in trials.items()},
    }
    return {
        "scene": asdict(SCENE),
        "harder_scene": asdict(HARDER_SCENE),
        "seeds": asdict(SEEDS),
        "versions": versions,
        "baselines": baselines,
        "bars": [bars(version, baselines) for version in versions],
    }


def bars(version: dict[str, Any], baselines: dict[str, Any]) -> dict[str, dict[str, float | bool]]:
    """What was asked of a version on the test series, what it did, and whether that is enough."""
    ours = version["test"]["all"]
    misses = [abs(ours["coverage"][f"{level:.0%}"] - level) for level in LEVELS]
    measured = {
        "median_over_centroid": (
            ours["median_km"] / baselines["centroid"]["test"]["all"]["median_km"],
            MEDIAN_OVER_CENTROID,
        ),
        "median_over_grid": (
            ours["median_km"] / baselines["grid"]["test"]["all"]["median_km"],
            MEDIAN_OVER_GRID,
        ),
        "worst_coverage_miss": (max(misses), COVERAGE_MISS),
    }
    return {
        name: {"measured": round(value, 4), "limit": limit, "met": value <= limit}
        for name, (value, limit) in measured.items()
    }
