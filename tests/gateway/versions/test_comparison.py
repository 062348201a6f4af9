"""Two fixes of one recording."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from gateway.domain import Covariance, Fix
from gateway.uncertainty.ellipse import standard_ellipse
from gateway.uncertainty.geodesy import destinations
from gateway.versions.comparison import bhattacharyya, compare, turned

SIGMAS = st.floats(1.0, 1e5)
COVARIANCES = st.builds(
    lambda east, north, rho: Covariance(east**2, north**2, rho * east * north),
    SIGMAS,
    SIGMAS,
    st.floats(-0.99, 0.99),
)
FIXES = st.builds(Fix, st.floats(-89, 89), st.floats(-180, 179.9), COVARIANCES)


def matrix(covariance: Covariance) -> NDArray[np.float64]:
    """As numpy has it."""
    return np.array([[covariance.var_east, covariance.cov], [covariance.cov, covariance.var_north]])


@pytest.mark.parametrize("apart", [(0.0, 0.0), (150.0, -80.0), (600.0, 300.0)])
def test_the_overlap_is_the_integral_of_the_densities_geometric_mean(apart: tuple[float, float]) -> None:
    one, other = Covariance(200.0**2, 90.0**2, 7e3), Covariance(120.0**2, 160.0**2, -9e3)
    axis = np.linspace(-2500, 2500, 501)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    first = multivariate_normal([0, 0], matrix(one)).pdf(grid)
    second = multivariate_normal(list(apart), matrix(other)).pdf(grid)
    integral = np.sqrt(first * second).sum() * (axis[1] - axis[0]) ** 2
    assert bhattacharyya(one, other, apart) == pytest.approx(integral, rel=1e-6)


@given(FIXES)
def test_equal_fixes_overlap_wholly(fix: Fix) -> None:
    found = compare(fix, fix)
    assert found.distance_m == 0.0
    assert found.overlap == pytest.approx(1.0, abs=1e-9)
    assert found.champion_semi_major_m == standard_ellipse(fix.covariance).semi_major_m


@given(FIXES, FIXES)
def test_the_overlap_is_a_share_and_the_same_both_ways(one: Fix, other: Fix) -> None:
    there, back = compare(one, other), compare(other, one)
    assert 0 <= there.overlap <= 1
    assert there.distance_m == pytest.approx(back.distance_m, abs=1e-3)
    if there.distance_m < 1.9e7:  # towards the antipode a hair's breadth changes the course altogether
        assert there.overlap == pytest.approx(back.overlap, rel=1e-6, abs=1e-12)


@given(COVARIANCES, st.floats(-math.pi, math.pi))
def test_turning_keeps_the_ellipse_and_turns_its_axis(covariance: Covariance, angle: float) -> None:
    before, after = standard_ellipse(covariance), standard_ellipse(turned(covariance, angle))
    assert after.semi_major_m == pytest.approx(before.semi_major_m, rel=1e-9)
    assert after.semi_minor_m == pytest.approx(before.semi_minor_m, rel=1e-5)
    if before.semi_minor_m < 0.9 * before.semi_major_m:
        turn = (after.theta_deg - before.theta_deg - math.degrees(angle)) % 180
        assert min(turn, 180 - turn) < 1e-4


def test_near_the_pole_directions_are_carried_along() -> None:
    """A metre from each other, one due north along 0° E and one that points the same way from 45° E."""
    along, across = 1e8, 1e4
    here = Fix(89.99999, 0.0, Covariance(across, along, 0.0))
    same, mirrored = (
        Fix(
            89.99999,
            45.0,
            Covariance((along + across) / 2, (along + across) / 2, sign * (along - across) / 2),
        )
        for sign in (1, -1)
    )
    assert compare(here, same).overlap == pytest.approx(1.0, abs=1e-3)
    assert compare(here, mirrored).overlap < 0.5


def test_the_distance_is_the_geodesics() -> None:
    lats, lons = destinations(45.0, 179.999, np.array([300.0, 0.0]), np.array([400.0, 0.0]))
    spread = Covariance(1e4, 1e4, 0.0)
    there = Fix(float(lats[0]), float(lons[0]), spread)
    assert compare(Fix(45.0, 179.999, spread), there).distance_m == pytest.approx(500.0, abs=1e-6)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Covariance(1e140, 1e140, 0.0), Covariance(1e-140, 1e-140, 0.0)),
        (Covariance(1e8, 1e8, 1e8 * (1 - 2e-15)), Covariance(1e8, 1e8, 1e8 * (1 - 2e-15))),
        (Covariance(1e8, 1e8, 1e8 * (1 - 2e-15)), Covariance(1e8, 1e8, -1e8 * (1 - 2e-15))),
    ],
    ids=["sizes at the limits", "needles in line", "crossed needles"],
)
def test_extreme_covariances_stay_within_range(one: Covariance, other: Covariance) -> None:
    here, there = Fix(45.0, 9.0, one), Fix(45.001, 9.002, other)
    for found in (compare(here, there), compare(there, here), compare(here, Fix(45.0, 9.0, other))):
        assert 0 <= found.overlap <= 1
