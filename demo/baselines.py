"""What the model is compared with: a tuned centroid, and a Bayes estimate that knows the scene."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from demo.scene import RECEIVER_POSITIONS, Scene, expected_levels, offsets_m, to_degrees

Float64 = NDArray[np.float64]

_EXPONENTS = np.arange(0.02, 3.01, 0.02)
_CELL_M = 1_000.0
_ROWS = 500


def centroid(levels_dbfs: Float64, exponent: float) -> Float64:
    """Power-weighted centroid: receivers averaged with weights power^exponent.

    Args:
        levels_dbfs: (N, 3).

    Returns:
        Degrees (N, 2).
    """
    relative = levels_dbfs - levels_dbfs.max(axis=1, keepdims=True)
    weights = 10.0 ** (exponent * relative / 10.0)
    return np.asarray(weights @ RECEIVER_POSITIONS / weights.sum(axis=1, keepdims=True))


def tuned_exponent(levels_dbfs: Float64, positions: Float64) -> float:
    """The centroid's exponent with the least median error on training data."""

    def median_error(exponent: float) -> float:
        offsets = offsets_m(centroid(levels_dbfs, exponent), positions)
        return float(np.median(np.hypot(*offsets.T)))

    return float(min(_EXPONENTS, key=median_error))


def bayes_grid(scene: Scene, levels_dbfs: Float64) -> Float64:
    """Posterior mean over a grid of the scene's square, from its true constants and noise-free levels.

    p(levels | cell) is normal with covariance shadowing²·I + transmit²·11ᵀ; the prior is the scene's own
    uniform one. No estimator has a smaller mean squared error (a median may be a little smaller), and a model
    has yet to learn the constants and to measure the levels in noise.

    Args:
        levels_dbfs: (N, 3).

    Returns:
        Degrees (N, 2).
    """
    count = levels_dbfs.shape[1]
    covariance = scene.shadowing_sd_db**2 * np.eye(count) + scene.transmit_sd_db**2
    whiten = np.linalg.inv(np.linalg.cholesky(covariance)).T
    cells, levels = _cells(scene)
    expected = levels @ whiten
    blocks = np.array_split(levels_dbfs @ whiten, max(1, len(levels_dbfs) // _ROWS))
    return to_degrees(np.concatenate([_posterior_mean(block, expected, cells) for block in blocks]))


@lru_cache(maxsize=4)
def _cells(scene: Scene) -> tuple[Float64, Float64]:
    """The grid's cells, metres east and north (cells, 2), and the levels expected there (cells, 3)."""
    axis = np.arange(-scene.half_width_m + _CELL_M / 2, scene.half_width_m, _CELL_M)
    cells = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return cells, expected_levels(scene, to_degrees(cells))


def _posterior_mean(observed: Float64, expected: Float64, cells: Float64) -> Float64:
    """Whitened levels (n, 3) and (cells, 3) to metres east and north (n, 2)."""
    # -½|o - e|² up to a constant in o, which the normalisation takes out
    log_likelihood = observed @ expected.T - 0.5 * np.square(expected).sum(axis=1)
    weights = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    return np.asarray(weights @ cells / weights.sum(axis=1, keepdims=True))
