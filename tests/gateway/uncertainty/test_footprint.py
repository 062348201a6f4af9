"""Outlines on the map: valid by shapely's judgement everywhere, and true to the ellipse they stand for."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.validation import explain_validity

from gateway.domain import Covariance, Fix
from gateway.uncertainty.ellipse import Ellipse, mahalanobis, many, outline
from gateway.uncertainty.footprint import DECIMALS, Footprint, NoFootprint, footprint, footprints
from gateway.uncertainty.geodesy import destinations, offset

UNIT = Covariance(1, 1, 0)
GEOD = Geod(ellps="WGS84")


def place(latitude: float, longitude: float) -> Fix:
    """A fix there; outlines do not look at its covariance."""
    return Fix(latitude, longitude, UNIT)


def drawn(latitude: float, longitude: float, major: float, minor: float, theta: float) -> Footprint:
    """The outline of an ellipse there."""
    return footprint(place(latitude, longitude), Ellipse(major, minor, theta))


def shape(outline_: Footprint) -> MultiPolygon:
    """The outline as shapely has it."""
    return MultiPolygon([Polygon(ring) for ring in outline_.rings])


def assert_valid(outline_: Footprint) -> None:
    """What RFC 7946 asks for, and edges of at most 5° of longitude."""
    polygons = shape(outline_)
    assert polygons.is_valid, explain_validity(polygons)
    for ring in outline_.rings:
        assert (ring[0] == ring[-1]).all()
        assert Polygon(ring).exterior.is_ccw
        assert np.abs(ring[:, 0]).max() <= 180
        assert np.abs(ring[:, 1]).max() <= 90
        assert np.abs(np.diff(ring[:, 0])).max() <= 5 + 1e-6
        assert (ring == ring.round(DECIMALS)).all()


@st.composite
def ellipses(
    draw: Any, smallest: float = 0.01, largest: float = 1e7, flattest: float = 1e-9
) -> Ellipse[float]:
    """Circles to needles, in any direction and the special ones; axes in metres."""
    major = 10 ** draw(st.floats(math.log10(smallest), math.log10(largest)))
    ratio = 10 ** draw(st.one_of(st.floats(math.log10(flattest), 0), st.just(0)))
    theta = draw(st.one_of(st.floats(-89.999, 90), st.sampled_from([0.0, 90.0, 45.0])))
    return Ellipse(major, min(max(major * ratio, 0.01), major), theta)


near_pole = st.builds(lambda sign, gap: sign * (90 - 10**gap), st.sampled_from([-1, 1]), st.floats(-7, 1.5))
near_cut = st.builds(lambda sign, gap: sign * (180 - 10**gap), st.sampled_from([-1, 1]), st.floats(-9, 2))
latitudes = st.one_of(st.floats(-90, 90), near_pole, st.sampled_from([-90.0, 0.0, 90.0]))
longitudes = st.one_of(st.floats(-180, 179.999), near_cut, st.sampled_from([-180.0, 0.0, 90.0]))


@settings(max_examples=250, deadline=None)
@given(latitudes, longitudes, ellipses())
@example(0.0, 0.0, Ellipse(1e7, 1e7, 0.0))
@example(0.0, -180.0, Ellipse(1e7, 1.0, 90.0))
@example(90.0, -180.0, Ellipse(1e6, 0.01, 45.0))
@example(-90.0, 12.0, Ellipse(0.01, 0.01, 0.0))
@example(13.543303209894887, 90.0, Ellipse(8504147.753486298, 8504147.753486298, 90.0))
def test_every_outline_is_valid(latitude: float, longitude: float, ellipse: Ellipse[float]) -> None:
    assert_valid(footprint(place(latitude, longitude), ellipse))


@settings(max_examples=120, deadline=None)
@given(
    latitudes,
    longitudes,
    ellipses(smallest=1.0, largest=5e6, flattest=1e-3),
    st.lists(st.tuples(st.floats(0.05, 1.5), st.floats(0, 2 * math.pi)), min_size=2, max_size=8),
)
def test_inside_the_outline_is_inside_the_mahalanobis_distance_up_to_5000_km(
    latitude: float,
    longitude: float,
    ellipse: Ellipse[float],
    samples: list[tuple[float, float]],
) -> None:
    """Apart from the strip in which a 64-sided outline differs from the ellipse."""
    polygons = shape(footprint(place(latitude, longitude), ellipse))
    for distance, parameter in samples:
        east, north = outline(ellipse.scaled(distance), np.array([parameter, 0]))
        lats, lons = destinations(latitude, longitude, east, north)
        seen = offset(latitude, longitude, float(lats[0]), float(lons[0]))
        if math.hypot(*seen) < 9e6 and not 0.97 < distance < 1.02:
            assert mahalanobis(ellipse, *seen) == pytest.approx(distance, rel=1e-3)
            assert polygons.covers(Point(lons[0], lats[0])) == (distance < 1)


@pytest.mark.parametrize("major", [10.0, 1e3, 1e5, 1e6, 5e6, 1e7])
@pytest.mark.parametrize(
    ("latitude", "longitude"), [(45.0, 7.0), (-80.0, 179.0), (89.99, -30.0), (0.0, -180.0)]
)
def test_every_vertex_lies_on_the_ellipse(major: float, latitude: float, longitude: float) -> None:
    """Vertices where the antimeridian cuts an edge, and those along the pole, lie on edges instead."""
    ellipse = Ellipse(major, major / 3, 25.0)
    on_ellipse = 0
    for ring in footprint(place(latitude, longitude), ellipse).rings:
        for lon, lat in ring[:-1].tolist():
            distance = mahalanobis(ellipse, *offset(latitude, longitude, lat, lon))
            if abs(lon) < 180 and abs(lat) < 90:
                assert distance == pytest.approx(1, abs=1e-3 / major + 1e-9)
                on_ellipse += 1
    assert on_ellipse >= 62


@pytest.mark.parametrize("major", [1e3, 1e4])
@pytest.mark.parametrize("theta", [0.0, 33.0, 90.0])
def test_the_area_up_to_10_km_is_that_of_the_64_sided_polygon(major: float, theta: float) -> None:
    ellipse = Ellipse(major, major / 2, theta)
    (ring,) = footprint(place(45.0, 7.0), ellipse).rings
    expected = 64 / 2 * major * major / 2 * math.sin(2 * math.pi / 64)
    area, _ = GEOD.polygon_area_perimeter(*ring.T)
    assert area == pytest.approx(expected, rel=1e-6)


def test_an_ordinary_outline_has_its_64_vertices_and_starts_on_the_major_axis() -> None:
    outline_ = drawn(45.0, 7.0, 5000.0, 2000.0, 0.0)
    (ring,) = outline_.rings
    assert ring.shape == (65, 2)
    assert offset(45.0, 7.0, ring[0, 1], ring[0, 0]) == pytest.approx((5000, 0), abs=1e-3)
    assert outline_.bbox == (*ring.min(axis=0), *ring.max(axis=0))


@pytest.mark.parametrize("longitude", [179.99, -179.99, -180.0])
def test_the_antimeridian_cuts_the_outline_in_two(longitude: float) -> None:
    outline_ = drawn(-17.0, longitude, 50_000.0, 20_000.0, 10.0)
    assert_valid(outline_)
    east, west = sorted(outline_.rings, key=lambda ring: float(ring[:, 0].mean()), reverse=True)
    assert east[:, 0].max() == 180
    assert west[:, 0].min() == -180
    assert set(east[east[:, 0] == 180, 1]) == set(west[west[:, 0] == -180, 1])
    assert outline_.bbox[0] == east[:, 0].min() > outline_.bbox[2] == west[:, 0].max()


def test_an_outline_that_only_touches_the_antimeridian_is_not_cut() -> None:
    """10 m of latitude and longitude short of it, and one rounding step short of it."""
    whole = drawn(0.0, 179.0, 1000.0, 1000.0, 0.0)
    reach = float(whole.rings[0][:, 0].max()) - 179.0
    for gap in (1e-4, 2e-9):
        outline_ = drawn(0.0, 180 - reach - gap, 1000.0, 1000.0, 0.0)
        assert len(outline_.rings) == 1
        assert outline_.bbox[2] <= 180


@pytest.mark.parametrize("pole", [1, -1])
@pytest.mark.parametrize(
    ("gap", "longitude"), [(0.0, 0.0), (0.0, 77.0), (0.5, 120.0), (0.5, -180.0), (0.5, 0.0)]
)
def test_a_pole_inside_makes_the_outline_reach_round_the_map(pole: int, gap: float, longitude: float) -> None:
    outline_ = drawn(pole * (90 - gap), longitude, 300_000.0, 100_000.0, 20.0)
    assert_valid(outline_)
    assert (outline_.bbox[0], outline_.bbox[2]) == (-180, 180)
    assert outline_.bbox[3 if pole == 1 else 1] == pole * 90
    polygons = shape(outline_)
    for lon in range(-175, 180, 25):
        assert polygons.contains(Point(lon, pole * 89.9))
        assert not polygons.contains(Point(lon, pole * 85))


@pytest.mark.parametrize("pole", [1, -1])
def test_an_outline_beside_the_pole_leaves_it_out(pole: int) -> None:
    outline_ = drawn(pole * 85.0, 10.0, 555_000.0, 555_000.0, 0.0)
    assert_valid(outline_)
    assert outline_.bbox[3 if pole == 1 else 1] * pole < 90


@pytest.mark.parametrize("latitude", [85.0, -85.0])
@pytest.mark.parametrize("miss_m", [0.0, 1e-9, -1e-9, 1e-4, -1e-4, 0.01, -0.01])
def test_an_outline_through_the_very_pole_is_still_valid(latitude: float, miss_m: float) -> None:
    pole = math.copysign(90, latitude)
    radius = math.hypot(*offset(latitude, 10.0, pole, 10.0)) + miss_m
    assert_valid(drawn(latitude, 10.0, radius, radius, 0.0))
    assert_valid(drawn(latitude, 10.0, radius, 1000.0, 90.0))


def test_the_edges_of_a_needle_follow_its_geodesic() -> None:
    """A straight edge on the map between 64 vertices would leave this ellipse by hundreds of metres."""
    ellipse = Ellipse(800e3, 800.0, 10.0)
    outline_ = drawn(50.0, 7.0, 800e3, 800.0, 10.0)
    for start, end in pairwise(outline_.rings[0].tolist()):
        lon, lat = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        assert 0.95 < mahalanobis(ellipse, *offset(50.0, 7.0, lat, lon)) < 1.03


@pytest.mark.parametrize(
    ("major", "minor", "reason"),
    [(10_000_001.0, 5.0, "over 10,000 km"), (1e70, 1e60, "over 10,000 km"), (5.0, 0.009, "under 1 cm")],
)
def test_an_ellipse_too_large_or_too_thin_to_draw_says_so(major: float, minor: float, reason: str) -> None:
    with pytest.raises(NoFootprint, match=reason):
        drawn(45.0, 7.0, major, minor, 0.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(latitudes, longitudes, ellipses()), min_size=1, max_size=6))
def test_many_at_once_are_what_each_is_alone(cases: list[tuple[float, float, Ellipse[float]]]) -> None:
    fixes = [place(latitude, longitude) for latitude, longitude, _ in cases]
    together = footprints(fixes, many([ellipse for _, _, ellipse in cases]))
    for one, fix, (_, _, ellipse) in zip(together, fixes, cases, strict=True):
        alone = footprint(fix, ellipse)
        assert isinstance(one, Footprint)
        assert one.bbox == alone.bbox
        assert all(np.array_equal(a, b) for a, b in zip(one.rings, alone.rings, strict=True))


def test_one_that_cannot_be_drawn_spoils_no_other() -> None:
    shapes: list[NDArray[np.float64]] = [np.array([5e3, 2e7]), np.array([2e3, 1e3]), np.array([0.0, 0.0])]
    drawable, too_large = footprints([place(45.0, 7.0), place(45.0, 7.0)], Ellipse(*shapes))
    assert isinstance(drawable, Footprint)
    assert isinstance(too_large, NoFootprint)
