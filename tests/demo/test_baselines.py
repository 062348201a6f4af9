"""The baselines are what they claim: a tuned centroid, and the posterior mean of the scene's own model."""

from dataclasses import replace

import numpy as np
import pytest

from demo.baselines import bayes_grid, centroid, tuned_exponent
from demo.scene import RECEIVER_POSITIONS, SCENE, expected_levels, offsets_m, to_degrees
from demo.scores import Float64, errors_km


def drawn(count: int, seed: int = 0) -> tuple[Float64, Float64]:
    """Positions and noise-free levels from the scene, without simulating any IQ."""
    rng = np.random.default_rng(seed)
    positions = to_degrees(rng.uniform(-SCENE.half_width_m, SCENE.half_width_m, (count, 2)))
    spread = rng.normal(0, SCENE.transmit_sd_db, (count, 1)) + rng.normal(
        0, SCENE.shadowing_sd_db, (count, 3)
    )
    return positions, expected_levels(SCENE, positions) + spread


def test_the_centroid_runs_from_the_mean_to_the_strongest_receiver() -> None:
    levels = np.array([[-50.0, -20.0, -60.0]])
    np.testing.assert_allclose(centroid(levels, 0.0), RECEIVER_POSITIONS.mean(axis=0, keepdims=True))
    np.testing.assert_allclose(centroid(levels, 10.0), RECEIVER_POSITIONS[[1]])


def test_the_tuned_exponent_beats_its_neighbours_and_is_inside_the_searched_range() -> None:
    positions, levels = drawn(2_000)
    best = tuned_exponent(levels, positions)
    median = [np.median(errors_km(centroid(levels, best + step), positions)) for step in (-0.2, 0.0, 0.2)]
    assert median[1] < min(median[0], median[2])
    assert 0.1 < best < 2.9


def test_without_shadowing_the_grid_finds_the_source_to_a_cell() -> None:
    exact = replace(SCENE, shadowing_sd_db=0.05, transmit_sd_db=0.05)
    positions = to_degrees(np.array([[0.0, 0.0], [20_000.0, 10_000.0], [-30_000.0, -5_000.0]]))
    assert errors_km(bayes_grid(exact, expected_levels(exact, positions)), positions).max() < 1.5


def test_the_grid_is_the_posterior_mean_cell_by_cell() -> None:
    levels = drawn(1)[1]
    covariance = SCENE.shadowing_sd_db**2 * np.eye(3) + SCENE.transmit_sd_db**2 * np.ones((3, 3))
    total, mean = 0.0, np.zeros(2)
    for east in np.arange(-74_500.0, 75_000.0, 1_000.0):
        cells = np.stack([np.full(150, east), np.arange(-74_500.0, 75_000.0, 1_000.0)], axis=-1)
        miss = levels - expected_levels(SCENE, to_degrees(cells))
        weights = np.exp(-0.5 * np.einsum("ni,ij,nj->n", miss, np.linalg.inv(covariance), miss))
        total, mean = total + weights.sum(), mean + weights @ cells
    np.testing.assert_allclose(bayes_grid(SCENE, levels)[0], to_degrees(mean / total), atol=1e-9)


def test_nothing_that_was_tried_beats_the_grid() -> None:
    positions, levels = drawn(800, seed=1)
    grid = offsets_m(bayes_grid(SCENE, levels), positions)
    other = offsets_m(centroid(levels, tuned_exponent(levels, positions)), positions)
    assert np.square(grid).mean() < 0.6 * np.square(other).mean()
    assert np.abs(grid.mean(axis=0)).max() < 2_000  # a posterior mean has no bias


@pytest.mark.parametrize("count", [1, 499, 501])
def test_any_number_of_rows(count: int) -> None:
    levels = drawn(count)[1]
    assert bayes_grid(SCENE, levels).shape == (count, 2)
    np.testing.assert_allclose(bayes_grid(SCENE, levels[-1:]), bayes_grid(SCENE, levels)[-1:], rtol=1e-12)
