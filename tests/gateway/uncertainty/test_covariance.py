"""Model output to fixes: every kind, unit and order; what is unusable is named, row by row."""

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from contract.model import Output, Position, Uncertainty
from gateway.domain import Covariance, Fix
from gateway.errors import BadAnswer
from gateway.uncertainty.covariance import fixes, metres_per_degree, wrap_longitude
from gateway.uncertainty.ellipse import determinant, standard_ellipse

TURIN = (45.07, 7.69)


def output(
    kind: Any = "sigma",
    units: Any = "metres",
    order: Any = ("north", "east"),
    place: Any = ("latitude", "longitude"),
) -> Output:
    """An output contract."""
    return Output(
        position=Position(tensor="positions", order=place),
        uncertainty=Uncertainty(tensor="uncertainties", kind=kind, units=units, order=order),
    )


def rows(*values: tuple[float, ...], dtype: Any = np.float64) -> NDArray[Any]:
    """Rows as a tensor."""
    return np.array(values, dtype)


def only_fix(place: tuple[float, float], spread: tuple[float, ...], meaning: Output) -> Fix:
    """The one usable row."""
    (fix,) = fixes(rows(place), rows(spread), meaning)
    assert isinstance(fix, Fix)
    return fix


def complaint(place: tuple[float, float], spread: tuple[float, ...], meaning: Output) -> str:
    """What is said of the one unusable row."""
    (bad,) = fixes(rows(place), rows(spread), meaning)
    assert isinstance(bad, BadAnswer)
    return bad.detail


@pytest.mark.parametrize(
    ("kind", "spread"),
    [("sigma", (3.0, 4.0)), ("sigma_rho", (3.0, 4.0, 0.5)), ("covariance", (9.0, 16.0, 6.0))],
)
def test_every_kind_gives_its_covariance_in_either_order(kind: str, spread: tuple[float, ...]) -> None:
    cov = 0.0 if kind == "sigma" else 6.0
    assert only_fix(TURIN, spread, output(kind)).covariance == Covariance(16, 9, cov)
    assert only_fix(TURIN, spread, output(kind, order=("east", "north"))).covariance == Covariance(9, 16, cov)


def test_the_position_is_read_in_the_contracts_order() -> None:
    assert only_fix((7.69, 45.07), (1, 1), output(place=("longitude", "latitude"))).latitude == 45.07
    assert only_fix((7.69, 45.07), (1, 1), output(place=("latitude", "longitude"))).latitude == 7.69


def radii(latitude: float) -> tuple[float, float]:
    """Metres per degree north and east, from WGS84's defining constants with 30 digits."""
    with mpmath.workdps(30):
        a, f = mpmath.mpf(6378137), 1 / mpmath.mpf("298.257223563")
        e2, phi = f * (2 - f), mpmath.radians(mpmath.mpf(latitude))
        w2 = 1 - e2 * mpmath.sin(phi) ** 2
        meridian, prime_vertical = a * (1 - e2) / w2 ** mpmath.mpf(1.5), a / mpmath.sqrt(w2)
        return float(mpmath.radians(meridian)), float(mpmath.radians(prime_vertical * mpmath.cos(phi)))


@pytest.mark.parametrize("latitude", [0.0, 45.07, -33.9, 89.9, -89.9])
def test_degrees_become_metres_by_the_radii_of_curvature(latitude: float) -> None:
    north, east = radii(latitude)
    assert np.ravel(metres_per_degree(np.array([latitude]))) == pytest.approx((north, east), rel=1e-12)
    covariance = only_fix((latitude, 0), (0.01, 0.02, -0.3), output("sigma_rho", "degrees")).covariance
    assert covariance.var_north == pytest.approx((0.01 * north) ** 2, rel=1e-12)
    assert covariance.var_east == pytest.approx((0.02 * east) ** 2, rel=1e-12)
    assert covariance.cov == pytest.approx(-0.3 * 0.01 * north * 0.02 * east, rel=1e-12)


def test_a_degree_at_the_equator_is_the_length_everyone_knows() -> None:
    north, east = metres_per_degree(np.array([0.0]))
    assert float(north[0]) == pytest.approx(110_574.3, abs=0.1)
    assert float(east[0]) == pytest.approx(111_319.5, abs=0.1)


def test_the_contracts_sigma_scale_is_left_to_the_request() -> None:
    scaled = Uncertainty(tensor="u", kind="sigma", units="metres", order=("north", "east"), sigma_scale=2.0)
    meaning = Output(position=Position(tensor="p", order=("latitude", "longitude")), uncertainty=scaled)
    assert only_fix(TURIN, (3, 4), meaning).covariance == Covariance(16, 9, 0)


@pytest.mark.parametrize(
    ("given_longitude", "kept"),
    [(0, 0), (-180, -180), (180, -180), (190, -170), (-190, 170), (359.5, -0.5), (540, -180), (-540, -180)],
)
def test_longitudes_wrap(given_longitude: float, kept: float) -> None:
    assert only_fix((0, given_longitude), (1, 1), output()).longitude == kept


@given(st.floats(-1e6, 1e6))
def test_a_wrapped_longitude_is_in_range_and_the_same_meridian(longitude: float) -> None:
    wrapped = float(wrap_longitude(np.array([longitude]))[0])
    assert -180 <= wrapped < 180
    assert math.isclose(math.cos(math.radians(wrapped - longitude)), 1, abs_tol=1e-9)
    if -180 <= longitude < 180:
        assert wrapped == longitude


@pytest.mark.parametrize(
    ("place", "spread", "meaning", "named"),
    [
        ((math.nan, 7), (1, 1), output(), ["positions", "latitude", "nan"]),
        ((45, math.inf), (1, 1), output(), ["positions", "longitude", "inf"]),
        ((90.5, 7), (1, 1), output(), ["positions", "latitude", "90.5", "[-90, 90]"]),
        ((-91, 7), (1, 1), output(), ["latitude", "-91"]),
        ((89.95, 7), (1, 1), output(units="degrees"), ["latitude", "89.95", "89.9", "degrees"]),
        ((45, 7), (0, 1), output(), ["uncertainties", "σ north", "above 0"]),
        ((45, 7), (1, -2), output(), ["uncertainties", "σ east", "-2", "above 0"]),
        ((45, 7), (1, math.nan), output(), ["σ east", "nan", "finite"]),
        ((45, 7), (-math.inf, 1), output(), ["σ north", "-inf", "finite"]),
        ((45, 7), (1, 1, 1.0), output("sigma_rho"), ["ρ", "1", "between -1 and 1"]),
        ((45, 7), (1, 1, -1.5), output("sigma_rho"), ["ρ", "-1.5"]),
        ((45, 7), (1, 1, math.nan), output("sigma_rho"), ["ρ", "nan"]),
        ((45, 7), (-1, 1, 0), output("covariance"), ["variance north", "-1", "above 0"]),
        ((45, 7), (1, 1, math.inf), output("covariance"), ["cov", "inf"]),
        ((45, 7), (4, 9, 6), output("covariance"), ["[4.0, 9.0, 6.0]", "|ρ| must be below 1"]),
        ((45, 7), (4, 9, -7), output("covariance"), ["[4.0, 9.0, -7.0]", "|ρ| must be below 1"]),
        ((45, 7), (1e200, 1), output(), ["1e+200", "1e+70"]),
        ((45, 7), (1e-200, 1), output(), ["1e-200", "1e-70"]),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    place: tuple[float, float], spread: tuple[float, ...], meaning: Output, named: list[str]
) -> None:
    detail = complaint(place, spread, meaning)
    assert all(part in detail for part in named), detail


def test_the_poles_are_usable_in_metres_and_89_9_degrees_in_degrees() -> None:
    assert only_fix((90, 7), (1, 1), output()).latitude == 90
    assert only_fix((-89.9, 7), (1e-4, 1e-4), output(units="degrees")).latitude == -89.9


def test_one_bad_row_never_spoils_the_others() -> None:
    places = rows(TURIN, (math.nan, 0), TURIN, (95, 0), TURIN)
    spreads = rows((3, 4), (3, 4), (-1, math.nan), (3, 4), (3, 4))
    answers = fixes(places, spreads, output())
    assert [type(answer) for answer in answers] == [Fix, BadAnswer, BadAnswer, BadAnswer, Fix]
    assert answers[0] == answers[4] == only_fix(TURIN, (3, 4), output())


def test_no_rows_give_no_fixes() -> None:
    assert fixes(np.zeros((0, 2)), np.zeros((0, 3)), output("covariance")) == []


@pytest.mark.parametrize(
    ("places", "spreads", "named"),
    [
        (np.ones((2, 3)), np.ones((2, 2)), r"positions.*\(2, 3\).*\(2, 2\)"),
        (np.ones(2), np.ones((2, 2)), r"positions.*\(2,\)"),
        (np.array(1.0), np.ones((2, 2)), r"positions.*\(\)"),
        (np.ones((2, 2)), np.ones((2, 3)), r"uncertainties.*\(2, 3\).*\(2, 2\)"),
        (np.ones((2, 2)), np.ones((3, 2)), r"uncertainties.*\(3, 2\).*\(2, 2\)"),
        (np.ones((2, 2), np.int32), np.ones((2, 2)), "positions.*int32"),
        (np.ones((2, 2)), np.ones((2, 2), object), "uncertainties.*object"),
    ],
)
def test_a_tensor_of_another_shape_or_type_is_no_answer_at_all(
    places: NDArray[Any], spreads: NDArray[Any], named: str
) -> None:
    with pytest.raises(BadAnswer, match=named):
        fixes(places, spreads, output())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_any_floating_type_is_read(dtype: Any) -> None:
    (fix,) = fixes(rows((45.5, 7.5), dtype=dtype), rows((3, 4), dtype=dtype), output())
    assert fix == Fix(45.5, 7.5, Covariance(16, 9, 0))


@pytest.mark.parametrize("units", ["metres", "degrees"])
def test_the_nearest_a_float32_correlation_comes_to_one_is_still_usable(units: str) -> None:
    rho = float(np.nextafter(np.float32(1), np.float32(0)))
    covariance = only_fix(TURIN, (3.0, 0.7, -rho), output("sigma_rho", units)).covariance
    assert standard_ellipse(covariance.scaled(3.7)).semi_minor_m > 0


FLOAT32 = st.floats(2**-10, 2**10, width=32)


@given(FLOAT32, FLOAT32, st.integers(-3, 3), st.sampled_from([-1, 1]), st.booleans())
def test_a_float32_covariance_is_used_exactly_when_it_is_positive_definite(
    first: float, second: float, steps: int, sign: int, degrees: bool
) -> None:
    cov = np.float32(math.sqrt(first * second))
    for _ in range(abs(steps)):
        cov = np.nextafter(cov, np.float32(math.copysign(1e9, steps)))
    definite = Fraction(first) * Fraction(second) > Fraction(float(cov)) ** 2
    meaning = output("covariance", "degrees" if degrees else "metres")
    (answer,) = fixes(rows(TURIN), rows((first, second, sign * float(cov)), dtype=np.float32), meaning)
    assert isinstance(answer, Fix) == definite


@given(st.floats(1e-30, 1e30), st.floats(1e-30, 1e30), st.floats(-1, 1, exclude_min=True, exclude_max=True))
def test_an_accepted_covariance_has_no_negative_axis_after_any_scaling(
    north: float, east: float, rho: float
) -> None:
    (answer,) = fixes(rows(TURIN), rows((north, east, rho)), output("sigma_rho"))
    if isinstance(answer, Fix):
        for scale in (1.0, 0.3, 1000.0):
            covariance = answer.covariance.scaled(scale)
            assert determinant(covariance.var_east, covariance.var_north, covariance.cov) > 0
            axes = standard_ellipse(covariance)
            assert 0 < axes.semi_minor_m <= axes.semi_major_m
    else:
        assert 1 - rho * rho < 1e-14
