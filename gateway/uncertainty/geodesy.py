"""Between the tangent plane in metres and WGS84 in degrees: the exponential map and its inverse. Pure.

A vector (east, north) on the plane at a place stands for the end of the geodesic that leaves the place with
azimuth atan2(east, north) and has the vector's length.
"""

import math

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod

Array = NDArray[np.float64]

_WGS84 = Geod(ellps="WGS84")


def destinations(
    latitude: Array | float, longitude: Array | float, east_m: Array, north_m: Array
) -> tuple[Array, Array]:
    """Latitudes and longitudes, degrees, longitude in [-180, 180], where vectors from places lead.

    Any shapes that broadcast to `east_m`'s, which must hold two vectors or more.
    """
    lons, lats, _ = _WGS84.fwd(
        np.broadcast_to(longitude, east_m.shape),
        np.broadcast_to(latitude, east_m.shape),
        np.degrees(np.arctan2(east_m, north_m)),
        np.hypot(east_m, north_m),
        return_back_azimuth=False,
    )
    return lats, lons


def offset(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> tuple[float, float]:
    """East and north, metres, from one place to another."""
    azimuth, _, distance = _WGS84.inv(longitude, latitude, to_longitude, to_latitude)
    return distance * math.sin(math.radians(azimuth)), distance * math.cos(math.radians(azimuth))


def courses(
    latitude: float, longitude: float, to_latitude: float, to_longitude: float
) -> tuple[float, float, float]:
    """The geodesic from one place to another: its azimuth at the start and at the end, degrees; metres."""
    azimuth, back, distance = _WGS84.inv(longitude, latitude, to_longitude, to_latitude)
    return azimuth, back + 180.0, distance


def offsets(
    latitude: Array, longitude: Array, to_latitude: Array, to_longitude: Array
) -> tuple[Array, Array]:
    """`offset` of many pairs at once, (N,) each."""
    # As lists, because pyproj takes arrays of one element for scalars.
    ends = (one.tolist() for one in (longitude, latitude, to_longitude, to_latitude))
    azimuth, _, distance = map(np.array, _WGS84.inv(*ends))
    return distance * np.sin(np.radians(azimuth)), distance * np.cos(np.radians(azimuth))
