"""What a true position, known later, says of a prediction; and what all of them say of a version. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.domain import Covariance, Fix
from gateway.prediction import Prediction
from gateway.uncertainty.calibration import LEVELS
from gateway.uncertainty.ellipse import mahalanobis, scale_at, standard_ellipse
from gateway.uncertainty.geodesy import offset

COUNT, ERROR, NEES = "count", "error_m", "nees"
BUCKETS_M = (10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 1e6)


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a prediction: the fix with `sigma_scale` applied. `at` Unix seconds."""

    id: str
    model: str
    version: int
    at: float
    latitude: float
    longitude: float
    var_east: float
    var_north: float
    cov: float
    edition: str = ""

    @property
    def fix(self) -> Fix:
        """The fix."""
        return Fix(self.latitude, self.longitude, Covariance(self.var_east, self.var_north, self.cov))


def kept(prediction: Prediction) -> Kept:
    """What is kept of it."""
    fix = prediction.derived.fix
    covariance = fix.covariance
    return Kept(
        prediction.id,
        prediction.model,
        prediction.version,
        prediction.at,
        fix.latitude,
        fix.longitude,
        covariance.var_east,
        covariance.var_north,
        covariance.cov,
        prediction.edition,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """One prediction held against its truth.

    error_m: geodesic distance. mahalanobis: the truth's distance from the fix in σ.
    inside: by level, whether the ellipse holds the truth.
    """

    error_m: float
    mahalanobis: float
    inside: dict[float, bool]


def outcome(fix: Fix, latitude: float, longitude: float) -> Outcome:
    """Hold a fix against the truth, degrees."""
    east, north = offset(fix.latitude, fix.longitude, latitude, longitude)
    distance = float(mahalanobis(standard_ellipse(fix.covariance), east, north))
    inside = {level: distance <= scale_at(level) for level in LEVELS}
    return Outcome(math.hypot(east, north), distance, inside)


def increments(one: Outcome) -> dict[str, float]:
    """What an outcome adds to a version's sums, by name."""
    inside = {inside_name(level): 1.0 for level, held in one.inside.items() if held}
    return {COUNT: 1.0, ERROR: one.error_m, NEES: one.mahalanobis**2, **inside}


def inside_name(level: float) -> str:
    """The sum of the truths inside the ellipses at a level."""
    return f"inside_{round(level * 100)}"


def summary(sums: Mapping[str, float]) -> dict[str, Any] | None:
    """What a version's sums say, or None without any: the mean error, coverage by level, the mean NEES."""
    count = int(sums.get(COUNT, 0))
    if count == 0:
        return None
    return {
        "count": count,
        "mean_error_m": sums.get(ERROR, 0.0) / count,
        "coverage": {str(level): sums.get(inside_name(level), 0.0) / count for level in LEVELS},
        "mean_nees": sums.get(NEES, 0.0) / count,
    }
