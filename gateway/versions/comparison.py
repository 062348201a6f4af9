"""Two fixes of one recording: how far apart they are, and how much their distributions overlap. Pure."""

import math
from dataclasses import dataclass

from gateway.domain import Covariance, Fix
from gateway.uncertainty.ellipse import determinant, standard_ellipse
from gateway.uncertainty.geodesy import courses


@dataclass(frozen=True, slots=True)
class Comparison:
    """A version's fix held against the champion's.

    distance_m: geodesic. overlap: Bhattacharyya coefficient, from 0 (apart) to 1 (equal).
    champion_semi_major_m: 1 σ of the champion's.
    """

    distance_m: float
    overlap: float
    champion_semi_major_m: float


def compare(champion: Fix, other: Fix) -> Comparison:
    """Hold a fix against the champion's.

    The other's covariance is carried along the geodesic to the champion's place, which turns it by as much as
    the course changes: near a pole, north there is not north here.
    """
    azimuth, arrival, distance = courses(
        champion.latitude, champion.longitude, other.latitude, other.longitude
    )
    course = math.radians(azimuth)
    apart = distance * math.sin(course), distance * math.cos(course)
    carried = turned(other.covariance, math.radians(arrival - azimuth))
    return Comparison(
        distance_m=distance,
        overlap=bhattacharyya(champion.covariance, carried, apart),
        champion_semi_major_m=standard_ellipse(champion.covariance).semi_major_m,
    )


def bhattacharyya(one: Covariance, other: Covariance, apart_m: tuple[float, float]) -> float:
    """Bhattacharyya coefficient of two Gaussians on one plane, `apart_m` east and north from each other.

    exp(-(dᵀ Σ⁻¹ d / 8 + ln(det Σ / √(det Σ₁ det Σ₂)) / 2)) with Σ = (Σ₁ + Σ₂) / 2.

    Source: T. Kailath, "The Divergence and Bhattacharyya Distance Measures in Signal Selection", IEEE Trans.
    Commun. Technol. 15 (1967).
    """
    var_east, var_north = (one.var_east + other.var_east) / 2, (one.var_north + other.var_north) / 2
    cov = (one.cov + other.cov) / 2
    both = (_log_determinant(one) + _log_determinant(other)) / 2
    mean = max(_log_determinant(Covariance(var_east, var_north, cov)), both)  # rounding apart, it is larger
    # On axes of unit variance, so that no product leaves double precision's range.
    east, north = apart_m[0] / math.sqrt(var_east), apart_m[1] / math.sqrt(var_north)
    rho = cov / math.sqrt(var_east) / math.sqrt(var_north)
    unit_determinant = math.exp(min(mean - math.log(var_east) - math.log(var_north), 0.0))
    mahalanobis2 = max(east * east - 2 * rho * east * north + north * north, 0.0) / unit_determinant
    return math.exp(-mahalanobis2 / 8 - (mean - both) / 2)


def turned(covariance: Covariance, clockwise: float) -> Covariance:
    """The same covariance on axes that are turned clockwise by that angle, radians."""
    cos, sin = math.cos(clockwise), math.sin(clockwise)
    east, north, cov = covariance.var_east, covariance.var_north, covariance.cov
    return Covariance(
        var_east=cos * cos * east - 2 * sin * cos * cov + sin * sin * north,
        var_north=sin * sin * east + 2 * sin * cos * cov + cos * cos * north,
        cov=sin * cos * (east - north) + (cos * cos - sin * sin) * cov,
    )


def _log_determinant(covariance: Covariance) -> float:
    """-inf where rounding, as that of `turned`, has left nothing of it."""
    value = determinant(covariance.var_east, covariance.var_north, covariance.cov)
    return math.log(value) if value > 0 else -math.inf
