"""An ellipse's outline on the map: rings in degrees that RFC 7946 allows, across poles and the antimeridian.

Works in the plane of longitude (x) and latitude (y), where GeoJSON's edges are straight. Pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.domain import Fix
from gateway.uncertainty import geodesy
from gateway.uncertainty.ellipse import Ellipse, T, each, mahalanobis, many, outline

Array = NDArray[np.float64]
Bbox = tuple[float, float, float, float]

MAX_SEMI_MAJOR_M = 10_000_000.0  # beyond it both poles may be inside, and the outline says nothing any more
MIN_SEMI_MINOR_M = 0.01  # below it the ring's two sides meet at 9 decimals (0.1 mm)
STEPS = 64
PARAMETERS: Array = np.arange(STEPS) * (2 * math.pi / STEPS)
_CLOSED: Array = np.append(PARAMETERS, 0.0)
DECIMALS = 9
MAX_STEP_DEG = 5.0
# A straight edge on the map may stray from the straight edge on the tangent plane by this share of an axis.
_STRAY_MINOR, _STRAY_MAJOR = 0.02, 1e-5
_FINEST_M = 0.001  # an edge this short with a large Δlon passes a pole closely
_AT_POLE_DEG = 5e-8  # and points this near to one, 6 mm, have no direction worth keeping
_METRES_PER_DEGREE = 110_000.0  # less than any degree of a meridian
_RADIUS_M = 6_335_000.0  # less than any radius of curvature of WGS84


@dataclass(frozen=True, slots=True, eq=False)
class Footprint:
    """Rings (n, 2) of longitude and latitude, closed and counter-clockwise; bbox west, south, east, north."""

    rings: tuple[Array, ...]
    bbox: Bbox


class NoFootprint(ValueError):
    """The ellipse has no outline worth drawing; the message says why."""


def footprint(fix: Fix, ellipse: Ellipse[float]) -> Footprint:
    """The outline of one ellipse.

    Raises:
        NoFootprint: semi-major axis over 10,000 km, or semi-minor axis under 1 cm.
    """
    outline = footprints([fix], many([ellipse]))[0]
    if isinstance(outline, NoFootprint):
        raise outline
    return outline


def footprints(fixes: Sequence[Fix], ellipses: Ellipse[Array]) -> list[Footprint | NoFootprint]:
    """The outlines of many ellipses, (N,) axes in metres, in one call of the geodesic library."""
    latitude, longitude = np.array([(fix.latitude, fix.longitude) for fix in fixes]).reshape(-1, 2).T
    lats, lons = geodesy.destinations(
        latitude[:, np.newaxis], longitude[:, np.newaxis], *outline(ellipses, _CLOSED)
    )
    west, east, south, north = lons.min(axis=1), lons.max(axis=1), lats.min(axis=1), lats.max(axis=1)
    plain = (np.abs(np.diff(lons, axis=1)).max(axis=1) <= MAX_STEP_DEG) & (
        np.abs(longitude) + east - west < 180
    )
    plain &= (90 - np.abs(latitude)) * _METRES_PER_DEGREE > ellipses.semi_major_m
    longest = ellipses.semi_major_m * (2 * math.pi / STEPS)
    steepest = np.tan(np.radians(np.maximum(-south, north)))
    plain &= longest**2 / (4 * _RADIUS_M) * steepest <= _may_stray(ellipses)
    rings = np.stack([lons, lats], axis=-1).round(DECIMALS)
    boxes = np.stack([west, south, east, north], axis=-1).round(DECIMALS).tolist()
    return [
        _unfit(ellipse) or (Footprint((ring,), tuple(box)) if simple else _general(fix, ellipse))
        for fix, ellipse, ring, box, simple in zip(
            fixes, each(ellipses), rings, boxes, plain.tolist(), strict=True
        )
    ]


def _unfit(ellipse: Ellipse[float]) -> NoFootprint | None:
    if ellipse.semi_major_m > MAX_SEMI_MAJOR_M:
        return NoFootprint(f"the semi-major axis is over {MAX_SEMI_MAJOR_M / 1000:,.0f} km")
    if ellipse.semi_minor_m < MIN_SEMI_MINOR_M:
        return NoFootprint(f"the semi-minor axis is under {MIN_SEMI_MINOR_M * 100:g} cm")
    return None


def _general(fix: Fix, ellipse: Ellipse[float]) -> Footprint:
    """Any outline: edges fine enough, a pole inside, the antimeridian crossed."""
    x, y = _fine_ring(fix, ellipse)
    pole = _pole_inside(fix, ellipse)
    kept = np.flatnonzero(90 - np.abs(y) >= _AT_POLE_DEG)
    gaps = np.diff(kept, append=kept[:1] + len(y))
    x, y = x[kept], y[kept]
    steps = _wrapped(np.diff(x, append=x[:1]))
    # Around the north pole the ring runs east once, around the south pole west. Where it runs through a pole
    # it may pass on either side: on the one that makes the sum right.
    excess = steps.sum() - 360 * pole
    if abs(excess) > 180:
        steps[np.argmax(gaps)] -= excess
    start = fix.longitude + _wrapped(x[0] - fix.longitude)
    path = np.column_stack([start + np.append(0, np.cumsum(steps)), np.append(y, y[0])])
    path = _stepped(np.round(path, DECIMALS))
    ring = _over_the_pole(path, pole) if pole else path[:-1]
    return Footprint(tuple(_closed(piece) for piece in _cut(ring)), _bbox(ring, pole))


def _fine_ring(fix: Fix, ellipse: Ellipse[float]) -> tuple[Array, Array]:
    """Longitudes and latitudes; every edge is nearly straight and spans at most 5° of longitude, or 1 mm.

    Halves an edge together with its mirror image in the major axis, so that the two sides of a thin ellipse
    bend alike and cannot cross.
    """
    t = PARAMETERS
    while True:
        east, north = outline(ellipse, t)
        step_east, step_north = np.roll(east, -1) - east, np.roll(north, -1) - north
        y, x = geodesy.destinations(fix.latitude, fix.longitude, east, north)
        step_x, step_y = _wrapped(np.roll(x, -1) - x), np.roll(y, -1) - y
        middle_y, middle_x = geodesy.destinations(
            fix.latitude, fix.longitude, east + step_east / 2, north + step_north / 2
        )
        stray_x = _wrapped(x + step_x / 2 - middle_x) * np.cos(np.radians(middle_y))
        stray = np.hypot(stray_x, y + step_y / 2 - middle_y) * _METRES_PER_DEGREE
        short = np.hypot(step_east, step_north) <= _FINEST_M
        coarse = ((np.abs(step_x) > MAX_STEP_DEG) | (stray > _may_stray(ellipse))) & ~short
        if not coarse.any():
            return x, y
        coarse |= coarse[::-1]
        halfway = (t + np.append(t[1:], 2 * math.pi)) / 2
        t = np.insert(t, np.flatnonzero(coarse) + 1, halfway[coarse])


def _may_stray(ellipse: Ellipse[T]) -> T:
    """Metres; for a thin ellipse the major axis has the say, or the ring would need endless points."""
    stray: T = np.maximum(_STRAY_MINOR * ellipse.semi_minor_m, _STRAY_MAJOR * ellipse.semi_major_m)
    return stray


def _pole_inside(fix: Fix, ellipse: Ellipse[float]) -> int:
    """1 when the north pole is inside, -1 when the south pole is, else 0."""
    for pole in (1, -1):
        east, north = geodesy.offset(fix.latitude, fix.longitude, 90.0 * pole, fix.longitude)
        if mahalanobis(ellipse, east, north) <= 1:
            return pole
    return 0


def _stepped(path: Array) -> Array:
    """The path with points put into each edge that spans more than 5° of longitude."""
    counts = np.maximum(np.ceil(np.abs(np.diff(path[:, 0])) / MAX_STEP_DEG - 1e-9), 1).astype(int)
    pieces = [
        np.linspace(start, end, count, endpoint=False)
        for start, end, count in zip(path[:-1], path[1:], counts.tolist(), strict=True)
    ]
    stepped: Array = np.concatenate([*pieces, path[-1:]]).round(DECIMALS)
    return stepped


def _over_the_pole(path: Array, pole: int) -> Array:
    """The ring of a region with a pole inside: the outline from one side of the map to the other, then back
    along the pole. It is opened where it meets the antimeridian nearest to the pole."""
    world = np.floor((path[:, 0] + 180) / 360)
    edges = np.flatnonzero(np.diff(world))
    meridians = 360 * np.maximum(world[edges], world[edges + 1]) - 180
    crossings = np.array([_crossing(path[i], path[i + 1], x) for i, x in zip(edges, meridians, strict=True)])
    nearest = int(np.argmax(pole * crossings[:, 1]))
    cut, first = edges[nearest] + 1, crossings[nearest]
    once_around = np.array([360.0 * pole, 0.0])
    last = first + once_around
    outline = np.concatenate([[first], path[cut:-1], path[:cut] + once_around, [last]])
    back = _stepped(np.array([[last[0], 90.0 * pole], [first[0], 90.0 * pole]]))
    return np.concatenate([outline, back])


def _crossing(start: Array, end: Array, x: float) -> Array:
    share = (x - start[0]) / (end[0] - start[0])
    return np.array([x, round(start[1] + share * (end[1] - start[1]), DECIMALS)])


def _cut(ring: Array) -> list[Array]:
    """The ring's parts on either side of the antimeridian, each moved into [-180, 180]."""
    first, last = (math.floor((x + 180) / 360) for x in (ring[:, 0].min(), ring[:, 0].max()))
    pieces = [ring]
    for world in range(first + 1, last + 1):
        pieces = [part for piece in pieces for part in _split(piece, 360.0 * world - 180)]
    worlds = [360.0 * round(float(piece[:, 0].min() + piece[:, 0].max()) / 720) for piece in pieces]
    return [(piece - (world, 0)).round(DECIMALS) for piece, world in zip(pieces, worlds, strict=True)]


def _split(ring: Array, meridian: float) -> list[Array]:
    """A simple ring cut along a meridian: its chains on either side, joined along the cut.

    Sorted along the cut, the crossings bound the inside in pairs: the first and second, the third and fourth…
    """
    beyond = ring[:, 0] > meridian
    edges = np.flatnonzero(beyond != np.roll(beyond, -1))
    if not edges.size:
        return [ring]
    ring = np.roll(ring, -edges[0] - 1, axis=0)
    ends = (np.append(edges[1:], edges[0] + len(ring)) - edges[0]).tolist()
    starts = [0, *ends[:-1]]
    entries = [_crossing(ring[i - 1], ring[i], meridian) for i in starts]
    order = np.argsort([point[1] for point in entries], kind="stable").tolist()
    partner = {order[i]: order[i ^ 1] for i in range(len(order))}
    pieces, waiting = [], set(range(len(starts)))
    while waiting:
        chain, parts = min(waiting), []
        while chain in waiting:
            waiting.remove(chain)
            following = (chain + 1) % len(starts)
            parts += [
                entries[chain][np.newaxis],
                ring[starts[chain] : ends[chain]],
                entries[following][np.newaxis],
            ]
            chain = partner[following]
        pieces.append(np.concatenate(parts))
    return [piece for piece in pieces if np.ptp(piece[:, 0]) > 0]


def _bbox(ring: Array, pole: int) -> Bbox:
    """RFC 7946 §5: west is greater than east across the antimeridian; a pole reaches all the way round."""
    (west, south), (east, north) = ring.min(axis=0).tolist(), ring.max(axis=0).tolist()
    if pole:
        return -180.0, south, 180.0, north
    if west < -180:
        west = round(west + 360, DECIMALS)
    if east > 180:
        east = round(east - 360, DECIMALS)
    return west, south, east, north


def _wrapped(degrees: Array) -> Array:
    """Differences of longitude in [-180, 180)."""
    return (degrees + 180) % 360 - 180


def _closed(ring: Array) -> Array:
    """The ring without repeated points, but with its first point again at the end."""
    fresh = np.any(ring != np.roll(ring, 1, axis=0), axis=1)
    ring = ring[fresh]
    return np.concatenate([ring, ring[:1]])
