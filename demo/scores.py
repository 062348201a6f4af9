"""How good fixes are: error, coverage of the ellipses, and the one scale factor that calibrates σ. Pure."""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from demo.scene import CENTRE, offsets_m

Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEVELS = (0.50, 0.68, 0.90, 0.95)
_MIDDLE_M = 50_000.0
_SCALES = np.arange(0.5, 2.0005, 0.001)


class Scores(TypedDict, total=False):
    """Figures over a set of recordings; errors in km, coverage by nominal level as fractions."""

    recordings: int
    median_km: float
    rms_km: float
    p95_km: float
    coverage: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Fixes:
    """A model's answers, as its contract has them: degrees (N, 2); σ_N, σ_E in metres and ρ (N, 3)."""

    positions: Float64
    uncertainties: Float64

    def scaled(self, sigma_scale: float) -> "Fixes":
        """The same fixes with both σ multiplied."""
        return Fixes(self.positions, self.uncertainties * [sigma_scale, sigma_scale, 1.0])


def errors_km(positions: Float64, truths: Float64) -> Float64:
    """Geodesic distances (N,) between degrees (N, 2)."""
    return np.asarray(np.hypot(*offsets_m(positions, truths).T) / 1000.0)


def squared_mahalanobis(fixes: Fixes, truths: Float64) -> Float64:
    """(N,): the truth's distance from the fix on its tangent plane, in units of the covariance, squared."""
    east, north = offsets_m(fixes.positions, truths).T
    sigma_north, sigma_east, rho = fixes.uncertainties.T
    east, north = east / sigma_east, north / sigma_north
    return np.asarray((east**2 - 2 * rho * east * north + north**2) / (1 - rho**2))


def coverage(squared: Float64, levels: tuple[float, ...] | Float64 = LEVELS) -> Float64:
    """(levels,): the fraction of truths inside each level's ellipse, where d² ≤ -2·ln(1 - p)."""
    inside = squared[:, None] <= -2.0 * np.log1p(-np.asarray(levels))
    return np.asarray(inside.mean(axis=0))


def fitted_sigma_scale(fixes: Fixes, truths: Float64) -> float:
    """The factor on σ whose worst miss over the four levels is least (minimax), to three decimals."""
    squared = squared_mahalanobis(fixes, truths)
    worst = [np.abs(coverage(squared / scale**2) - LEVELS).max() for scale in _SCALES]
    return round(float(_SCALES[int(np.argmin(worst))]), 3)


def scores(positions: Float64, truths: Float64, uncertainties: Float64 | None = None) -> Scores:
    """Figures of fixes; coverage only where there are uncertainties."""
    errors = errors_km(positions, truths)
    figures = Scores(
        recordings=len(errors),
        median_km=round(float(np.median(errors)), 2),
        rms_km=round(float(np.sqrt(np.mean(np.square(errors)))), 2),
        p95_km=round(float(np.percentile(errors, 95)), 2),
    )
    if uncertainties is not None:
        inside = coverage(squared_mahalanobis(Fixes(positions, uncertainties), truths))
        figures["coverage"] = {
            f"{level:.0%}": round(float(p), 4) for level, p in zip(LEVELS, inside, strict=True)
        }
    return figures


def scores_by_region(
    positions: Float64, truths: Float64, uncertainties: Float64 | None = None
) -> dict[str, Scores]:
    """Figures over all, over the square's middle (±50 km east and north), and over its edge (the rest)."""
    middle = in_middle(truths)
    masks = {"all": np.ones_like(middle), "middle": middle, "edge": ~middle}
    return {
        name: scores(positions[mask], truths[mask], None if uncertainties is None else uncertainties[mask])
        for name, mask in masks.items()
    }


def in_middle(truths: Float64) -> Bools:
    """(N,): which truths, degrees (N, 2), lie in the square's middle."""
    return np.asarray(np.abs(offsets_m(CENTRE, truths)).max(axis=1) <= _MIDDLE_M)
