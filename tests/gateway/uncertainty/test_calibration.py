"""Coverage, Wilson intervals, NEES and the factor on σ: against tables, simulation and brute force."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest

from gateway.domain import Covariance, Fix
from gateway.uncertainty.calibration import (
    LEVELS,
    Coverage,
    coverage,
    fit_scale,
    outcomes,
    summarise,
    wilson_interval,
    worst_miss,
)
from gateway.uncertainty.ellipse import mahalanobis, r95, scale_at, standard_ellipse
from gateway.uncertainty.geodesy import destinations, offset


def drawn(count: int, stated: float = 1.0, seed: int = 1) -> tuple[list[Fix], NDArray[np.float64]]:
    """Fixes whose stated σ is `stated` times what the truths are drawn with."""
    rng = np.random.default_rng(seed)
    sigma = 10 ** rng.uniform(1, 4, (2, count))
    rho = rng.uniform(-0.9, 0.9, count)
    unit = rng.standard_normal((2, count))
    east = sigma[0] * unit[0]
    north = sigma[1] * (rho * unit[0] + np.sqrt(1 - rho**2) * unit[1])
    latitude, longitude = rng.uniform(-80, 80, count), rng.uniform(-180, 180, count)
    truths = np.column_stack(destinations(latitude, longitude, east, north))
    rows = zip(latitude, longitude, *(sigma * stated), rho, strict=True)
    return [
        Fix(lat, lon, Covariance(s_e * s_e, s_n * s_n, r * s_e * s_n)) for lat, lon, s_e, s_n, r in rows
    ], truths


@given(st.integers(0, 2000), st.integers(1, 2000), st.floats(0.5, 0.999))
def test_the_interval_is_wilsons(successes: int, trials: int, confidence: float) -> None:
    successes = min(successes, trials)
    expected = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    assert wilson_interval(successes, trials, confidence) == pytest.approx(
        (expected.low, expected.high), abs=1e-12
    )


def test_without_trials_nothing_is_known() -> None:
    assert wilson_interval(0, 0) == (0, 1)


def test_outcomes_are_error_vector_and_stated_uncertainty_of_each_fix() -> None:
    fixes, truths = drawn(20)
    found = outcomes(fixes, truths)
    for row, (fix, truth) in enumerate(zip(fixes, truths.tolist(), strict=True)):
        vector = offset(fix.latitude, fix.longitude, *truth)
        standard = standard_ellipse(fix.covariance)
        assert found.error_m[row] == pytest.approx(math.hypot(*vector))
        assert found.distance[row] == pytest.approx(mahalanobis(standard, *vector))
        assert found.r95_m[row] == pytest.approx(r95(standard))
        assert found.area95_m2[row] == pytest.approx(standard.scaled(scale_at(0.95)).area_m2)


def test_a_model_that_states_the_truth_is_found_calibrated() -> None:
    summary = summarise(outcomes(*drawn(20_000)))
    assert summary.calibrated
    assert worst_miss(outcomes(*drawn(20_000)).distance) < 0.01
    assert summary.nees == pytest.approx(2, abs=3 * 2 / math.sqrt(20_000))
    for one in summary.coverage:
        low, high = one.interval
        assert low < one.level < high


@pytest.mark.parametrize("stated", [0.5, 0.85, 1.2, 57.0])
def test_a_model_that_understates_or_overstates_is_found_out(stated: float) -> None:
    summary = summarise(outcomes(*drawn(20_000, stated)))
    assert not summary.calibrated
    assert (summary.nees > 2) == (stated < 1)
    assert all((one.share < one.level) == (stated < 1) for one in summary.coverage)


def test_sharpness_and_percentiles_are_those_of_the_set() -> None:
    found = outcomes(*drawn(999))
    summary = summarise(found)
    assert summary.count == 999
    assert summary.percentiles_m[50] == pytest.approx(np.median(found.error_m))
    assert list(summary.percentiles_m) == [50, 68, 90, 95, 99]
    assert summary.mean_error_m == pytest.approx(found.error_m.mean())
    assert summary.median_r95_m == pytest.approx(np.median(found.r95_m))


@pytest.mark.parametrize(
    ("inside", "count", "off"),
    [
        (6800, 10_000, False),
        (6600, 10_000, False),  # 66.0 %, interval reaches above 66 %
        (6400, 10_000, True),  # 64.0 %, interval ends below 66 %
        (7200, 10_000, True),
        (3, 10, False),  # too few to say anything
        (0, 30, True),
    ],
)
def test_a_level_is_off_only_when_chance_cannot_explain_it(inside: int, count: int, off: bool) -> None:
    assert Coverage(0.68, inside, count).off == off


def test_a_distance_on_the_ellipse_is_inside() -> None:
    assert coverage(np.array([scale_at(0.9), np.nextafter(scale_at(0.9), 9)]), 0.9).inside == 1


@pytest.mark.parametrize("stated", [0.02, 0.7, 1.0, 3.0])
def test_the_fitted_factor_undoes_a_wrong_statement(stated: float) -> None:
    found = outcomes(*drawn(20_000, stated))
    scale = fit_scale(found.distance)
    assert scale == pytest.approx(1 / stated, rel=0.03)
    assert summarise(found.rescaled(scale)).calibrated
    again = summarise(outcomes(*drawn(20_000, stated, seed=2)).rescaled(scale))
    assert again.calibrated


def test_rescaling_is_what_the_scaled_covariance_gives() -> None:
    fixes, truths = drawn(50)
    larger = [Fix(fix.latitude, fix.longitude, fix.covariance.scaled(1.7)) for fix in fixes]
    expected, found = outcomes(larger, truths), outcomes(fixes, truths).rescaled(1.7)
    for name in ("error_m", "distance", "r95_m", "area95_m2"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name))


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30))
def test_no_factor_is_better_than_the_fitted_one(values: list[float]) -> None:
    distance = np.array(values)
    best = worst_miss(distance / fit_scale(distance))
    for factor in np.geomspace(0.001, 1000, 400):
        assert worst_miss(distance / factor) >= best - 1e-12


def test_a_truth_on_its_fix_is_no_obstacle_but_nothing_else_is() -> None:
    assert fit_scale(np.array([0.0, 1.0, 2.0])) > 0
    with pytest.raises(ValueError, match="exactly on its fix"):
        fit_scale(np.zeros(3))


def test_part_of_the_outcomes_is_described_alone() -> None:
    found = outcomes(*drawn(100))
    mask = found.error_m > np.median(found.error_m)
    assert len(found.where(mask)) == 50
    assert summarise(found.where(mask)).mean_error_m > summarise(found).mean_error_m
    assert [one.level for one in summarise(found).coverage] == list(LEVELS)
