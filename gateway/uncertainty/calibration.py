"""How true the stated uncertainty is: errors, coverage, NEES, sharpness, and the one factor that corrects σ.

Pure. A model is calibrated when its ellipses at level p hold a share p of the truths, at every p.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from gateway.domain import Fix
from gateway.uncertainty.ellipse import mahalanobis, r95, scale_at, standard_ellipses
from gateway.uncertainty.geodesy import offsets

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEVELS = (0.5, 0.68, 0.9, 0.95)
PERCENTILES = (50, 68, 90, 95, 99)
TOLERANCE = 0.02
WILSON_CONFIDENCE = 0.99


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """N fixes held against their truths.

    error_m: geodesic distance of the truth from the fix.
    distance: its Mahalanobis distance, σ.
    r95_m, area95_m2: how large an uncertainty was stated.
    """

    error_m: Array
    distance: Array
    r95_m: Array
    area95_m2: Array

    def __len__(self) -> int:
        return len(self.error_m)

    def where(self, mask: Mask) -> "Outcomes":
        """Some of them."""
        return Outcomes(self.error_m[mask], self.distance[mask], self.r95_m[mask], self.area95_m2[mask])

    def rescaled(self, scale: float) -> "Outcomes":
        """What they would have been with every σ multiplied by `scale`."""
        return Outcomes(self.error_m, self.distance / scale, self.r95_m * scale, self.area95_m2 * scale**2)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of `count` truths the ellipses at `level` held."""

    level: float
    inside: int
    count: int

    @property
    def share(self) -> float:
        """The part that was held."""
        return self.inside / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 99 % interval for the probability behind `share`."""
        return wilson_interval(self.inside, self.count)

    @property
    def off(self) -> bool:
        """Whether the interval lies wholly outside the level ± 2 points: not by chance."""
        low, high = self.interval
        return high < self.level - TOLERANCE or low > self.level + TOLERANCE


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said of a set of outcomes.

    percentiles_m: error by percentile. nees: mean of the squared Mahalanobis distance, 2 when σ is right.
    median_r95_m, median_area95_m2: sharpness, that is how little uncertainty is stated.
    """

    count: int
    mean_error_m: float
    percentiles_m: dict[int, float]
    coverage: tuple[Coverage, ...]
    nees: float
    median_r95_m: float
    median_area95_m2: float

    @property
    def calibrated(self) -> bool:
        """Whether no level is off."""
        return not any(one.off for one in self.coverage)


def outcomes(fixes: Sequence[Fix], truths: Array) -> Outcomes:
    """Hold fixes against truths (N, 2), latitude and longitude in degrees."""
    places = np.array([(fix.latitude, fix.longitude) for fix in fixes]).reshape(-1, 2)
    east, north = offsets(places[:, 0], places[:, 1], truths[:, 0], truths[:, 1])
    standard = standard_ellipses([fix.covariance for fix in fixes])
    return Outcomes(
        error_m=np.hypot(east, north),
        distance=mahalanobis(standard, east, north),
        r95_m=r95(standard),
        area95_m2=standard.scaled(scale_at(0.95)).area_m2,
    )


def summarise(outcomes: Outcomes) -> Summary:
    """Describe outcomes, at least one."""
    percentiles = np.percentile(outcomes.error_m, PERCENTILES).tolist()
    return Summary(
        count=len(outcomes),
        mean_error_m=float(outcomes.error_m.mean()),
        percentiles_m=dict(zip(PERCENTILES, percentiles, strict=True)),
        coverage=tuple(coverage(outcomes.distance, level) for level in LEVELS),
        nees=float(np.mean(outcomes.distance**2)),
        median_r95_m=float(np.median(outcomes.r95_m)),
        median_area95_m2=float(np.median(outcomes.area95_m2)),
    )


def coverage(distance: Array, level: float) -> Coverage:
    """How many of the Mahalanobis distances (N,) lie within the ellipse at `level`."""
    return Coverage(level, int(np.count_nonzero(distance <= scale_at(level))), len(distance))


def wilson_interval(
    successes: int, trials: int, confidence: float = WILSON_CONFIDENCE
) -> tuple[float, float]:
    """Wilson's score interval for a binomial probability (Wilson, JASA 22, 1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    z = float(ndtri((1 + confidence) / 2))
    share, weight = successes / trials, z * z / trials
    centre = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def worst_miss(distance: Array) -> float:
    """The largest |share - level| over the levels."""
    return max(abs(one.share - one.level) for one in (coverage(distance, level) for level in LEVELS))


def fit_scale(distance: Array) -> float:
    """The factor on σ that makes the largest |share - level| over the levels least; exact.

    A share changes only where distance/factor meets a level's radius. So every stretch between two such
    factors is tried, and the middle of the best one taken.

    Args:
        distance: (N,) Mahalanobis distances, at least one of them above 0.

    Raises:
        ValueError: every distance is 0.
    """
    if not distance.any():
        raise ValueError("every truth lies exactly on its fix: no factor on σ is better than another")
    ordered = np.sort(distance)
    steps = np.unique(np.concatenate([ordered / scale_at(level) for level in LEVELS]))
    factors = (steps[:-1] + steps[1:]) / 2
    misses = [
        np.abs(np.searchsorted(ordered, factors * scale_at(level)) / len(ordered) - level) for level in LEVELS
    ]
    return float(factors[np.argmin(np.max(misses, axis=0))])
