"""The exponential map and its inverse, against geographiclib's own geodesics."""

import math

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.uncertainty.ellipse import Ellipse, outline
from gateway.uncertainty.geodesy import destinations, offset, offsets

WGS84 = Geodesic.WGS84
PLACES = [
    (90.0, 0.0),
    (-90.0, 123.0),
    (89.999, -45.0),
    (-89.5, 180.0),
    (0.0, 179.9999),
    (12.0, -180.0),
    (-66.0, -179.5),
    (0.0, 0.0),
]
SIZES_M = (1.0, 40.0, 1e3, 30e3, 1e6)


def ring(latitude: float, longitude: float, ellipse: Ellipse[float]) -> tuple[NDArray[np.float64], ...]:
    """Latitudes and longitudes of 64 points."""
    parameters = np.arange(64) * (2 * math.pi / 64)
    return destinations(latitude, longitude, *outline(ellipse, parameters))


def random_places(count: int) -> list[tuple[float, float]]:
    """Evenly spread over the earth."""
    rng = np.random.default_rng(7)
    latitudes = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    return list(zip(latitudes.tolist(), rng.uniform(-180, 180, count).tolist(), strict=True))


@pytest.mark.parametrize("size_m", SIZES_M)
def test_every_vertex_is_within_a_millimetre_of_geographiclibs(size_m: float) -> None:
    """Azimuth and length of each vertex by plain trigonometry, its place by another library."""
    rng = np.random.default_rng(int(size_m))
    for latitude, longitude in PLACES + random_places(12):
        minor, theta = size_m * rng.uniform(0.01, 1), rng.uniform(-90, 90)
        lats, lons = ring(latitude, longitude, Ellipse(size_m, minor, theta))
        for step in range(0, 64, 3):
            t = step * 2 * math.pi / 64
            turn = math.radians(theta)
            east = size_m * math.cos(t) * math.cos(turn) - minor * math.sin(t) * math.sin(turn)
            north = size_m * math.cos(t) * math.sin(turn) + minor * math.sin(t) * math.cos(turn)
            azimuth = math.degrees(math.atan2(east, north))
            there = WGS84.Direct(latitude, longitude, azimuth, math.hypot(east, north))
            assert WGS84.Inverse(there["lat2"], there["lon2"], lats[step], lons[step])["s12"] < 0.001


@pytest.mark.parametrize("place", PLACES)
def test_longitudes_come_out_within_one_turn(place: tuple[float, float]) -> None:
    _, lons = ring(*place, Ellipse(5e5, 3e5, 20.0))
    assert np.abs(lons).max() <= 180


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-180, 180), st.floats(0.1, 9e6))
def test_the_offset_of_a_destination_is_the_vector_that_led_there(
    latitude: float, longitude: float, azimuth: float, distance: float
) -> None:
    vector = distance * np.array([math.sin(math.radians(azimuth)), math.cos(math.radians(azimuth))])
    lats, lons = destinations(latitude, longitude, np.repeat(vector[0], 2), np.repeat(vector[1], 2))
    back = offset(latitude, longitude, float(lats[0]), float(lons[0]))
    assert back == pytest.approx(vector, abs=1e-5)


def test_many_offsets_are_what_each_is_alone() -> None:
    places, truths = np.array(random_places(50)), np.array(random_places(51)[1:])
    for count in (50, 1, 0):
        east, north = offsets(*places[:count].T, *truths[:count].T)
        alone = [offset(*place, *truth) for place, truth in zip(places[:count], truths[:count], strict=True)]
        assert np.column_stack([east, north]).ravel() == pytest.approx(np.ravel(alone))


def test_the_length_of_an_offset_is_the_distance() -> None:
    for (latitude, longitude), (to_latitude, to_longitude) in zip(PLACES, random_places(8), strict=True):
        distance = WGS84.Inverse(latitude, longitude, to_latitude, to_longitude)["s12"]
        assert math.hypot(*offset(latitude, longitude, to_latitude, to_longitude)) == pytest.approx(distance)


def test_no_offset_from_a_place_to_itself() -> None:
    assert offset(45.0, 7.0, 45.0, 7.0) == pytest.approx((0, 0))
