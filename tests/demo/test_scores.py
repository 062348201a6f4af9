"""Errors, coverage and the σ scale are measured rightly; membership is the gateway's own ellipse."""

import numpy as np
import pytest

from demo.scene import CENTRE, to_degrees
from demo.scores import (
    LEVELS,
    Fixes,
    Float64,
    coverage,
    errors_km,
    fitted_sigma_scale,
    in_middle,
    scores,
    scores_by_region,
    squared_mahalanobis,
)
from gateway.domain import Covariance
from gateway.uncertainty.ellipse import mahalanobis, scale_at, standard_ellipse
from gateway.uncertainty.geodesy import destinations, offset


def gaussian(count: int, claimed: float = 1.0, seed: int = 0) -> tuple[Fixes, Float64]:
    """Fixes whose truths are scattered as their covariances say; σ is claimed `claimed` times too large."""
    rng = np.random.default_rng(seed)
    positions = to_degrees(rng.uniform(-75_000, 75_000, (count, 2)))
    sigma_north, sigma_east = rng.uniform(2_000, 12_000, (2, count))
    rho = rng.uniform(-0.95, 0.95, count)
    first, second = rng.standard_normal((2, count))
    north = sigma_north * first
    east = sigma_east * (rho * first + np.sqrt(1 - rho**2) * second)
    truths = np.stack(destinations(positions[:, 0], positions[:, 1], east, north), axis=1)
    return Fixes(positions, np.stack([claimed * sigma_north, claimed * sigma_east, rho], axis=1)), truths


def test_ellipses_of_the_right_size_hold_what_they_promise() -> None:
    fixes, truths = gaussian(20_000)
    np.testing.assert_allclose(coverage(squared_mahalanobis(fixes, truths)), LEVELS, atol=0.01)


@pytest.mark.parametrize("claimed", [0.7, 1.4])
def test_a_wrong_sigma_shows_and_one_factor_mends_it(claimed: float) -> None:
    fixes, truths = gaussian(8_000, claimed)
    assert np.abs(coverage(squared_mahalanobis(fixes, truths)) - LEVELS).max() > 0.1
    scale = fitted_sigma_scale(fixes, truths)
    assert scale == pytest.approx(1 / claimed, rel=0.02)
    mended = coverage(squared_mahalanobis(fixes.scaled(scale), truths))
    np.testing.assert_allclose(mended, LEVELS, atol=0.015)


def test_the_factor_is_the_minimax_one() -> None:
    fixes, truths = gaussian(2_000, 1.2)

    def worst(scale: float) -> float:
        inside = coverage(squared_mahalanobis(fixes.scaled(scale), truths))
        return float(np.abs(inside - LEVELS).max())

    best = fitted_sigma_scale(fixes, truths)
    assert all(worst(best) <= worst(best + step) for step in (-0.1, -0.02, 0.02, 0.1))


def test_membership_is_that_of_the_gateways_ellipse() -> None:
    fixes, truths = gaussian(300)
    squared = squared_mahalanobis(fixes, truths)
    for index in range(300):
        north, east, rho = fixes.uncertainties[index]
        ellipse = standard_ellipse(Covariance(east**2, north**2, rho * east * north))
        to_truth = offset(*fixes.positions[index], *truths[index])
        distance = mahalanobis(ellipse, *to_truth)
        assert distance == pytest.approx(np.sqrt(squared[index]), rel=1e-6)
        for level in LEVELS:
            assert (distance <= scale_at(level)) == bool(coverage(squared[[index]], (level,))[0])


def test_scaling_leaves_the_correlation_alone() -> None:
    scaled = Fixes(np.zeros((1, 2)), np.array([[3.0, 4.0, 0.5]])).scaled(2.0)
    np.testing.assert_array_equal(scaled.uncertainties, [[6.0, 8.0, 0.5]])


def test_errors_are_kilometres_on_the_earth() -> None:
    one_degree_north = errors_km(np.array([[45.0, 9.0]]), np.array([[46.0, 9.0]]))
    assert one_degree_north[0] == pytest.approx(111.1, abs=0.1)


def test_figures_by_region_add_up() -> None:
    fixes, truths = gaussian(2_000)
    figures = scores_by_region(fixes.positions, truths, fixes.uncertainties)
    assert figures["middle"]["recordings"] + figures["edge"]["recordings"] == 2_000
    inside = {
        name: figures[name]["coverage"]["95%"] * figures[name]["recordings"]
        for name in ("all", "middle", "edge")
    }
    assert inside["middle"] + inside["edge"] == pytest.approx(inside["all"], abs=0.5)


def test_without_uncertainties_there_is_no_coverage() -> None:
    fixes, truths = gaussian(50)
    assert "coverage" not in scores(fixes.positions, truths)


def test_the_middle_is_fifty_kilometres_either_way() -> None:
    east_north = np.array([[0.0, 0.0], [49_900.0, -49_900.0], [50_100.0, 0.0], [0.0, -50_100.0]])
    assert in_middle(to_degrees(east_north)).tolist() == [True, True, False, False]
    assert in_middle(CENTRE[None]).tolist() == [True]
