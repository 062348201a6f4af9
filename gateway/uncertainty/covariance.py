"""From a model's output tensors to fixes: position in degrees, covariance in m² on the east-north plane.

Pure and vectorised; one unusable row never spoils another. Nothing is ever clamped into range.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.model import Output, Uncertainty
from gateway.domain import Covariance, Fix
from gateway.errors import BadAnswer
from gateway.uncertainty.ellipse import determinant

Array = NDArray[np.float64]
Tensor = NDArray[Any]
Mask = NDArray[np.bool_]

WGS84_A_M = 6_378_137.0
WGS84_E2 = 0.006_694_379_990_141_317
MAX_DEGREES_LATITUDE = 89.9
# Beyond these a variance times a variance leaves double precision's range.
MIN_SIGMA_M, MAX_SIGMA_M = 1e-70, 1e70
# 1 - ρ² below this is zero to double precision, after the few roundings a covariance goes through.
SINGULAR = 8 * float(np.finfo(np.float64).eps)


def metres_per_degree(latitude: Array) -> tuple[Array, Array]:
    """Metres that a degree of latitude and one of longitude span at `latitude` (degrees, WGS84).

    π/180·M and π/180·N·cos φ with M = a(1 - e²)/w³, N = a/w, w = √(1 - e² sin² φ), the radii of curvature
    in the meridian and in the prime vertical (Torge and Müller, Geodesy, 4th ed., §4.1).
    """
    phi = np.radians(latitude)
    w = np.sqrt(1 - WGS84_E2 * np.sin(phi) ** 2)
    meridian = WGS84_A_M * (1 - WGS84_E2) / w**3
    prime_vertical = WGS84_A_M / w
    return np.radians(meridian), np.radians(prime_vertical * np.cos(phi))


def wrap_longitude(longitude: Array) -> Array:
    """Longitudes in [-180, 180); one that is there already keeps its every bit."""
    wrapped = np.mod(longitude + 180, 360) - 180
    wrapped = np.where(wrapped >= 180, -180.0, wrapped)
    return np.where((longitude >= -180) & (longitude < 180), longitude, wrapped)


def fixes(positions: Tensor, uncertainties: Tensor, output: Output) -> list[Fix | BadAnswer]:
    """What the model answered, row by row: a fix, or what is wrong with the row.

    Args:
        positions: (N, 2), degrees, in the contract's order.
        uncertainties: (N, 2) for `sigma`, (N, 3) for `sigma_rho` and `covariance`, in the contract's units.
        output: the contract's output part; its `sigma_scale` is not applied here.

    Raises:
        BadAnswer: a tensor has the wrong shape or holds no floating-point numbers.
    """
    place = _checked(positions, output.position.tensor, len(positions) if positions.ndim else 0, 2)
    spread = _checked(uncertainties, output.uncertainty.tensor, len(place), output.uncertainty.width)
    with np.errstate(all="ignore"):  # an unusable row may overflow here; it is refused below
        latitude = place[:, output.position.order.index("latitude")]
        longitude = wrap_longitude(place[:, output.position.order.index("longitude")])
        var_east, var_north, cov = _variances(spread, latitude, output)
        usable = _usable(place, spread, latitude, (var_east, var_north, cov), output)
    columns = (latitude, longitude, var_east, var_north, cov)
    return [
        Fix(lat, lon, Covariance(*variances))
        if good
        else BadAnswer(_complaint(place[row], spread[row], output))
        for row, (good, lat, lon, *variances) in enumerate(
            zip(usable.tolist(), *(column.tolist() for column in columns), strict=True)
        )
    ]


def _checked(tensor: Tensor, name: str, rows: int, width: int) -> Array:
    if tensor.shape != (rows, width):
        raise BadAnswer(f"{name}: the model answered with shape {tensor.shape}, not ({rows}, {width})")
    if not np.issubdtype(tensor.dtype, np.floating):
        raise BadAnswer(f"{name}: the model answered with {tensor.dtype}, not with floating-point numbers")
    return tensor.astype(np.float64)


def _variances(spread: Array, latitude: Array, output: Output) -> tuple[Array, Array, Array]:
    """var(east), var(north), cov in m²."""
    order, kind = output.uncertainty.order, output.uncertainty.kind
    east, north = spread[:, order.index("east")], spread[:, order.index("north")]
    if kind == "covariance":
        cov = spread[:, 2]
    else:
        cov = spread[:, 2] * east * north if kind == "sigma_rho" else np.zeros(len(spread))
        east, north = east**2, north**2
    if output.uncertainty.units == "metres":
        return east, north, cov
    per_north, per_east = metres_per_degree(latitude)
    return east * per_east**2, north * per_north**2, cov * (per_east * per_north)


def _usable(
    place: Array, spread: Array, latitude: Array, variances: tuple[Array, Array, Array], output: Output
) -> Mask:
    """(N,) whether a row can be used; NaN fails every comparison."""
    var_east, var_north, cov = variances
    good: Mask = (
        np.isfinite(place).all(axis=1) & np.isfinite(spread).all(axis=1) & (spread[:, :2] > 0).all(axis=1)
    )
    good &= np.abs(latitude) <= _latitude_limit(output)
    if output.uncertainty.kind == "sigma_rho":
        good &= np.abs(spread[:, 2]) < 1
    for variance in (var_east, var_north):
        good &= (variance >= MIN_SIGMA_M**2) & (variance <= MAX_SIGMA_M**2)
    good &= determinant(var_east, var_north, cov) > SINGULAR * var_east * var_north
    return good


def _complaint(place: Array, spread: Array, output: Output) -> str:
    """What is wrong with an unusable row: the tensor, the value, the limit."""
    position, limit = output.position, _latitude_limit(output)
    for axis, value in zip(position.order, place.tolist(), strict=True):
        if not math.isfinite(value):
            return f"{position.tensor}: {axis} is {value}; it must be finite"
        if axis == "latitude" and abs(value) > limit:
            why = " where σ is in degrees" if limit < 90 else ""
            return f"{position.tensor}: latitude is {value:.9g}; it must lie in [-{limit:g}, {limit:g}]{why}"
    return f"{output.uncertainty.tensor}: {_spread_complaint(spread.tolist(), output.uncertainty)}"


def _spread_complaint(spread: list[float], uncertainty: Uncertainty) -> str:
    variances = uncertainty.kind == "covariance"
    names = [f"{'variance' if variances else 'σ'} {way}" for way in uncertainty.order]
    for name, value in zip([*names, "cov" if variances else "ρ"], spread, strict=False):
        if not math.isfinite(value):
            return f"{name} is {value}; it must be finite"
        if name in names and value <= 0:
            return f"{name} is {value:g}; it must be above 0"
        if name == "ρ" and abs(value) >= 1:
            return f"ρ is {value:.9g}; it must lie strictly between -1 and 1"
    limits = f"|ρ| must be below 1 and σ from {MIN_SIGMA_M:g} to {MAX_SIGMA_M:g} m"
    return f"{spread} gives no usable covariance: {limits}"


def _latitude_limit(output: Output) -> float:
    return MAX_DEGREES_LATITUDE if output.uncertainty.units == "degrees" else 90.0
