"""Covariance to ellipse, CEP, R95 and confidence, on the tangent plane. Pure; metres and degrees.

Every function takes one ellipse or many: `Ellipse[float]`, or `Ellipse[Array]` with (N,) arrays.
"""

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Generic, TypeVar

import msgspec
import numpy as np
from numpy.polynomial import chebyshev
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.special import erf

from gateway.domain import Covariance

Array = NDArray[np.float64]
T = TypeVar("T", float, Array)

CIRCLE = 1e-12  # a² - b² at most this times a²: a circle, whose direction would be rounding noise


class Ellipse(msgspec.Struct, Generic[T], frozen=True):
    """An ellipse on the east-north plane. `theta_deg`: major axis, counter-clockwise from east, (-90, 90]."""

    semi_major_m: T
    semi_minor_m: T
    theta_deg: T

    @property
    def orientation_deg(self) -> T:
        """The major axis clockwise from true north, [0, 180)."""
        return (90.0 - self.theta_deg) % 180.0

    @property
    def area_m2(self) -> T:
        """Area on the tangent plane."""
        return math.pi * self.semi_major_m * self.semi_minor_m

    def scaled(self, k: float) -> "Ellipse[T]":
        """The ellipse with both axes multiplied by `k`."""
        return Ellipse(k * self.semi_major_m, k * self.semi_minor_m, self.theta_deg)


def many(ellipses: Sequence[Ellipse[float]]) -> Ellipse[Array]:
    """Ellipses as one value of (N,) arrays."""
    table = np.array([(one.semi_major_m, one.semi_minor_m, one.theta_deg) for one in ellipses])
    return Ellipse(*table.reshape(-1, 3).T)


def each(ellipses: Ellipse[Array]) -> list[Ellipse[float]]:
    """The opposite of `many`."""
    columns = (ellipses.semi_major_m, ellipses.semi_minor_m, ellipses.theta_deg)
    return [Ellipse(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def standard_ellipse(covariance: Covariance) -> Ellipse[float]:
    """The ellipse of Mahalanobis distance 1: semi-axes are the standard deviations along the axes.

    a² is the larger eigenvalue in closed form; b² = det/a², since the difference that gives the smaller
    eigenvalue directly loses all its digits on an elongated ellipse.
    """
    var_east, var_north, cov = covariance.var_east, covariance.var_north, covariance.cov
    half_difference = (var_east - var_north) / 2
    spread = math.hypot(half_difference, cov)
    square = (var_east + var_north) / 2 + spread
    major = math.sqrt(square)
    minor = min(math.sqrt(determinant(var_east, var_north, cov) / square), major)  # a circle's may round up
    if 2 * spread <= CIRCLE * square:
        return Ellipse(major, minor, 0.0)
    theta = math.degrees(math.atan2(cov, half_difference) / 2)
    return Ellipse(major, minor, theta if theta > -90 else 90.0)


def standard_ellipses(covariances: Sequence[Covariance]) -> Ellipse[Array]:
    """`standard_ellipse` of many covariances at once: (N,) arrays."""
    table = np.array([(one.var_east, one.var_north, one.cov) for one in covariances]).reshape(-1, 3)
    var_east, var_north, cov = table.T
    half_difference = (var_east - var_north) / 2
    spread = np.hypot(half_difference, cov)
    square = (var_east + var_north) / 2 + spread
    theta = np.degrees(np.arctan2(cov, half_difference) / 2)
    theta = np.where(2 * spread <= CIRCLE * square, 0.0, np.where(theta > -90, theta, 90.0))
    major = np.sqrt(square)
    return Ellipse(major, np.minimum(np.sqrt(determinant(var_east, var_north, cov) / square), major), theta)


@lru_cache(maxsize=1024)
def scale_at(level: float) -> float:
    """How many σ an ellipse's axes are at a confidence level in (0, 1): √(-2·ln(1 - p))."""
    return math.sqrt(-2 * math.log1p(-level))


def outline(ellipse: Ellipse[T], parameters: Array) -> tuple[Array, Array]:
    """East and north (…, P) of the points at ellipse parameters, radians from an end of the major axis."""
    theta = np.radians(np.asarray(ellipse.theta_deg))[..., np.newaxis]
    along = np.asarray(ellipse.semi_major_m)[..., np.newaxis] * np.cos(parameters)
    across = np.asarray(ellipse.semi_minor_m)[..., np.newaxis] * np.sin(parameters)
    cos, sin = np.cos(theta), np.sin(theta)
    return along * cos - across * sin, along * sin + across * cos


def mahalanobis(standard: Ellipse[T], east_m: T, north_m: T) -> T:
    """How many σ from the centre a point is; `standard` is the ellipse of distance 1."""
    theta = np.radians(standard.theta_deg)
    cos, sin = np.cos(theta), np.sin(theta)
    along = (east_m * cos + north_m * sin) / standard.semi_major_m
    across = (north_m * cos - east_m * sin) / standard.semi_minor_m
    return np.hypot(along, across)  # type: ignore[no-any-return]


def cep50(standard: Ellipse[T]) -> T:
    """Radius of the circle about the estimate that holds the source with probability 0.5."""
    return _circle(standard, 0.5)


def r95(standard: Ellipse[T]) -> T:
    """Radius of the circle about the estimate that holds the source with probability 0.95."""
    return _circle(standard, 0.95)


def radius(standard: Ellipse[T], probability: float) -> T:
    """Radius of the circle about the estimate that holds the source with `probability`, in (0, 1)."""
    return _circle(standard, probability)


def confidence(standard: Ellipse[T], radius_m: float) -> T:
    """Probability that the source lies within `radius_m` of the estimate."""
    ratio = standard.semi_minor_m / standard.semi_major_m
    inside = _probability_within(np.asarray(radius_m / standard.semi_major_m), np.asarray(ratio))
    return inside if isinstance(ratio, np.ndarray) else float(inside)


def determinant(var_east: T, var_north: T, cov: T) -> T:
    """var_east·var_north - cov² of these doubles to about one rounding, by exact products (Dekker 1971)."""
    product, product_error = _exact_product(var_east, var_north)
    square, square_error = _exact_product(cov, cov)
    return (product - square) + (product_error - square_error)


def _exact_product(x: T, y: T) -> tuple[T, T]:
    """x·y as a rounded product and its exact error."""
    (x_high, x_low), (y_high, y_low) = _halves(x), _halves(y)
    product = x * y
    return product, ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low


def _halves(x: T) -> tuple[T, T]:
    """`x` as a sum of two numbers of 26 bits each (Veltkamp)."""
    shifted = 134_217_729.0 * x
    high = shifted - (shifted - x)
    return high, x - high


_NODES, _WEIGHTS = leggauss(64)  # type: ignore[no-untyped-call]
_SIN = np.sin((_NODES + 1) * (math.pi / 4))
_COS = np.cos((_NODES + 1) * (math.pi / 4))
_WEIGHTS = _WEIGHTS * (math.pi / 4 * 2 / math.sqrt(2 * math.pi))
_ALL = 40.0  # σ: beyond it nothing is left to double precision, and the rule would miss the peak


def _probability_within(radius: Array, ratio: Array) -> Array:
    """P(|v| ≤ radius) for v ~ N(0, diag(1, ratio²)), 0 < ratio ≤ 1; within 6e-8 relative.

    ∫ φ(x)·erf(√(r² - x²)/(√2·ratio)) dx over ±r, by Gauss-Legendre in x = r·sin u, which takes the square
    root out of the integrand's end.
    """
    r = np.minimum(radius, _ALL)[..., np.newaxis]
    half_chord = r * _COS
    across = erf(half_chord / (math.sqrt(2) * ratio[..., np.newaxis]))
    inside = (_WEIGHTS * half_chord * np.exp(-((r * _SIN) ** 2) / 2) * across).sum(axis=-1)
    return np.where(radius >= _ALL, 1.0, np.minimum(inside, 1.0))


def _circle(standard: Ellipse[T], probability: float) -> T:
    """Radius that holds `probability`, by its series in 2·b/a - 1."""
    series = _radius_series(probability)
    angle = np.arccos(2 * np.asarray(standard.semi_minor_m / standard.semi_major_m) - 1)
    radii: Array = (np.cos(angle[..., np.newaxis] * _ORDERS) * series).sum(axis=-1)
    return (radii if isinstance(standard.semi_major_m, np.ndarray) else float(radii)) * standard.semi_major_m


_ORDERS = np.arange(41.0)


@cache
def _radius_series(probability: float) -> Array:
    """Chebyshev series of the radius in units of the semi-major axis: within 1e-7 for every b/a in [0, 1]."""

    def radius(x: Array) -> Array:
        ratio = (x + 1) / 2
        low, high = np.zeros_like(ratio), np.full_like(ratio, scale_at(probability))
        for _ in range(53):
            middle = (low + high) / 2
            short = _probability_within(middle, ratio) < probability
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return high

    series: Array = chebyshev.chebinterpolate(radius, len(_ORDERS) - 1)  # type: ignore[no-untyped-call]
    return series
