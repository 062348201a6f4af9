"""Covariance to ellipse, CEP, R95 and confidence: against simulation, quadrature and algebra."""

import math
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.domain import Covariance
from gateway.uncertainty.ellipse import (
    Ellipse,
    cep50,
    confidence,
    determinant,
    each,
    mahalanobis,
    many,
    outline,
    r95,
    scale_at,
    standard_ellipse,
    standard_ellipses,
)

LEVELS = (0.5, 0.68, 0.9, 0.95, 0.99)
RATIOS = (1, 1.0001, 1.5, 3, 8, 20, 57, 170, 300, 570, 1000)

sigmas = st.floats(1e-3, 1e6)
correlations = st.floats(-0.999_999, 0.999_999)
levels = st.floats(1e-6, 1 - 1e-9)


@st.composite
def covariances(draw: Any) -> Covariance:
    """Any covariance of metres to a thousand kilometres."""
    east, north, rho = draw(sigmas), draw(sigmas), draw(correlations)
    return Covariance(east**2, north**2, rho * east * north)


def rotated(covariance: Covariance, degrees: float) -> Covariance:
    """The covariance after every point turns counter-clockwise."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[c, -s], [s, c]])
    matrix = turn @ as_matrix(covariance) @ turn.T
    return Covariance(float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 1]))


def as_matrix(covariance: Covariance) -> NDArray[np.float64]:
    """[[var(east), cov], [cov, var(north)]]."""
    return np.array([[covariance.var_east, covariance.cov], [covariance.cov, covariance.var_north]])


def rebuilt(ellipse: Ellipse[float]) -> NDArray[np.float64]:
    """The covariance that has this standard ellipse."""
    return as_matrix(
        rotated(Covariance(ellipse.semi_major_m**2, ellipse.semi_minor_m**2, 0), ellipse.theta_deg)
    )


def test_the_example_of_the_api_document() -> None:
    """σ 812 m east, 640 m north, ρ 0.434 at level 0.68, by numpy's eigen-decomposition."""
    covariance = Covariance(812.0**2, 640.0**2, 0.434 * 812 * 640)
    ellipse = standard_ellipse(covariance).scaled(scale_at(0.68))
    values, vectors = np.linalg.eigh(as_matrix(covariance))
    assert (ellipse.semi_minor_m, ellipse.semi_major_m) == pytest.approx(
        np.sqrt(values * -2 * math.log(0.32))
    )
    east, north = vectors[:, 1] * np.sign(vectors[0, 1])
    assert ellipse.theta_deg == pytest.approx(math.degrees(math.atan2(north, east)))
    assert ellipse.orientation_deg == pytest.approx(90 - ellipse.theta_deg)
    assert ellipse.area_m2 == pytest.approx(math.pi * ellipse.semi_major_m * ellipse.semi_minor_m)


@pytest.mark.parametrize(
    ("covariance", "theta", "orientation"),
    [
        (Covariance(4, 1, 0), 0, 90),
        (Covariance(1, 4, 0), 90, 0),
        (Covariance(1, 4, -0.0), 90, 0),
        (Covariance(1, 4, -1e-300), 90, 0),
        (Covariance(2, 2, 1), 45, 45),
        (Covariance(2, 2, -1), -45, 135),
        (Covariance(9, 9, 0), 0, 90),
        (Covariance(9, 9 * (1 + 4e-13), 0), 0, 90),
        (Covariance(9, 9 * (1 + 4e-12), 0), 90, 0),
    ],
)
def test_directions_have_one_name_each_and_a_circle_has_one_too(
    covariance: Covariance, theta: float, orientation: float
) -> None:
    ellipse = standard_ellipse(covariance)
    assert (ellipse.theta_deg, ellipse.orientation_deg) == (theta, orientation)


@given(covariances())
def test_directions_stay_in_their_ranges(covariance: Covariance) -> None:
    ellipse = standard_ellipse(covariance)
    assert -90 < ellipse.theta_deg <= 90
    assert 0 <= ellipse.orientation_deg < 180
    assert math.isclose(math.cos(math.radians(2 * (90 - ellipse.theta_deg - ellipse.orientation_deg))), 1)


@given(covariances())
def test_the_axes_are_those_of_the_covariance(covariance: Covariance) -> None:
    ellipse = standard_ellipse(covariance)
    assert 0 < ellipse.semi_minor_m <= ellipse.semi_major_m
    assert np.abs(rebuilt(ellipse) - as_matrix(covariance)).max() <= 1e-9 * ellipse.semi_major_m**2


@given(st.floats(1, 1e4), st.floats(1, 1e4), st.floats(-0.99, 0.99), st.floats(-360, 360))
def test_turning_the_covariance_turns_the_ellipse(
    east: float, north: float, rho: float, degrees: float
) -> None:
    covariance = Covariance(east**2, north**2, rho * east * north)
    before, after = standard_ellipse(covariance), standard_ellipse(rotated(covariance, degrees))
    assert after.semi_major_m == pytest.approx(before.semi_major_m, rel=1e-9)
    assert after.semi_minor_m == pytest.approx(before.semi_minor_m, rel=1e-6)
    turned = rebuilt(Ellipse(before.semi_major_m, before.semi_minor_m, before.theta_deg + degrees))
    assert np.abs(rebuilt(after) - turned).max() <= 1e-8 * before.semi_major_m**2


@given(covariances())
def test_swapping_east_and_north_mirrors_the_ellipse(covariance: Covariance) -> None:
    before = standard_ellipse(covariance)
    after = standard_ellipse(Covariance(covariance.var_north, covariance.var_east, covariance.cov))
    assert (after.semi_major_m, after.semi_minor_m) == (before.semi_major_m, before.semi_minor_m)
    if before.semi_minor_m < before.semi_major_m * (1 - 1e-9):
        assert math.cos(math.radians(2 * (after.theta_deg - (90 - before.theta_deg)))) == pytest.approx(
            1, abs=1e-9
        )


@given(covariances(), st.floats(1e-3, 1e3))
def test_scaling_the_covariance_scales_every_length(covariance: Covariance, scale: float) -> None:
    before, after = standard_ellipse(covariance), standard_ellipse(covariance.scaled(scale))
    for length in (lambda one: one.semi_major_m, lambda one: one.semi_minor_m, cep50, r95):
        assert length(after) == pytest.approx(scale * length(before), rel=1e-6)


@given(covariances(), levels, levels)
def test_a_higher_level_gives_a_larger_ellipse(covariance: Covariance, first: float, second: float) -> None:
    low, high = sorted((first, second))
    standard = standard_ellipse(covariance)
    assert standard.scaled(scale_at(low)).area_m2 <= standard.scaled(scale_at(high)).area_m2
    assert standard.scaled(scale_at(low)).theta_deg == standard.theta_deg


@given(levels)
def test_the_scale_is_the_root_of_the_chi_square_quantile_with_two_degrees(level: float) -> None:
    assert -math.expm1(-(scale_at(level) ** 2) / 2) == pytest.approx(level, rel=1e-12)


def test_the_scales_everyone_knows() -> None:
    assert [round(scale_at(p), 4) for p in (0.5, 0.68, 0.9, 0.95)] == [1.1774, 1.5096, 2.1460, 2.4477]


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-12, 1e-14])
def test_the_minor_axis_keeps_its_digits_however_thin_the_ellipse(gap: float) -> None:
    rho = 1 - gap
    east, north = 1234.5, 0.7
    covariance = Covariance(east**2, north**2, rho * east * north)
    with mpmath.workdps(60):
        ve, vn, cov = (mpmath.mpf(one) for one in (covariance.var_east, covariance.var_north, covariance.cov))
        larger = (ve + vn) / 2 + mpmath.sqrt(((ve - vn) / 2) ** 2 + cov**2)
        minor = float(mpmath.sqrt((ve * vn - cov**2) / larger))
    assert standard_ellipse(covariance).semi_minor_m == pytest.approx(minor, rel=1e-14)


@given(sigmas, sigmas, st.integers(-2, 2))
def test_the_determinant_is_exact_to_a_rounding_where_the_plain_formula_has_no_digits(
    var_east: float, var_north: float, steps: int
) -> None:
    cov = math.sqrt(var_east) * math.sqrt(var_north) * (1 + steps * 2.0**-52)
    with mpmath.workdps(80):
        exact = mpmath.mpf(var_east) * mpmath.mpf(var_north) - mpmath.mpf(cov) ** 2
        error = abs(determinant(var_east, var_north, cov) - exact)
        assert error <= abs(exact) * 2.0**-51 + var_east * var_north * 2.0**-105


@pytest.mark.parametrize("ratio", [1.0, 2.0, 30.0])
@pytest.mark.parametrize("theta", [0.0, 37.0, -80.0])
def test_the_promised_share_of_200_000_samples_falls_inside(ratio: float, theta: float) -> None:
    """Ellipses, CEP50, R95 and confidence: each within three standard errors of the share it promises."""
    samples = 200_000
    covariance = rotated(Covariance(900.0**2, (900.0 / ratio) ** 2, 0), theta)
    rng = np.random.default_rng(20_260_101)
    east, north = np.linalg.cholesky(as_matrix(covariance)) @ rng.standard_normal((2, samples))
    standard = standard_ellipse(covariance)
    distance, radius = mahalanobis(standard, east, north), np.hypot(east, north)
    promised = [(float((distance <= scale_at(level)).mean()), level) for level in LEVELS]
    promised += [
        (float((radius <= cep50(standard)).mean()), 0.5),
        (float((radius <= r95(standard)).mean()), 0.95),
    ]
    promised += [
        (float((radius <= metres).mean()), confidence(standard, metres)) for metres in (100, 700, 1500)
    ]
    for share, probability in promised:
        assert abs(share - probability) <= 3 * math.sqrt(probability * (1 - probability) / samples)


def probability_within(radius: float, ratio: float) -> Any:
    """P(|v| ≤ radius), v ~ N(0, diag(1, ratio⁻²)), by mpmath's adaptive quadrature over the angle.

    In polar form, 1 - (1/2π)·∫ exp(-r²·g/2)/(g·ratio⁻¹) dφ with g = cos² φ + ratio²·sin² φ: another integral
    than the one under test.
    """
    r, k = mpmath.mpf(radius), mpmath.mpf(ratio)

    def outside(angle: Any) -> Any:
        g = mpmath.cos(angle) ** 2 + k**2 * mpmath.sin(angle) ** 2
        return mpmath.exp(-(r**2) * g / 2) * k / g

    bends = [
        mpmath.mpf(0),
        *(mpmath.mpf(n) / k for n in (0.5, 1, 2, 4, 8, 16, 64) if n / k < 1.5),
        mpmath.pi / 2,
    ]
    return 1 - 2 / mpmath.pi * mpmath.quad(outside, bends)


@pytest.mark.parametrize("ratio", RATIOS)
def test_confidence_is_right_to_a_millionth_at_every_axis_ratio(ratio: float) -> None:
    standard = Ellipse(500.0, 500.0 / ratio, 12.0)
    with mpmath.workdps(20):
        for radius in (1e-3, 0.02, 0.1, 0.4, 0.6745, 1.0, 1.5, 1.96, 2.4477, 4.0, 7.0):
            exact = float(probability_within(radius, ratio))
            assert confidence(standard, 500.0 * radius) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("ratio", RATIOS)
def test_cep50_and_r95_are_right_to_a_millionth_at_every_axis_ratio(ratio: float) -> None:
    standard = Ellipse(500.0, 500.0 / ratio, -70.0)
    with mpmath.workdps(20):
        for radius, probability in ((cep50(standard), 0.5), (r95(standard), 0.95)):
            below, above = (probability_within(radius / 500 * (1 + e), ratio) for e in (-1e-6, 1e-6))
            assert below < probability < above


@pytest.mark.parametrize(
    ("minor", "radii"),
    [(1.0, (1.177_410, 2.447_747)), (1e-9, (0.674_490, 1.959_964))],
    ids=["circle", "line"],
)
def test_circle_and_line_have_the_radii_of_the_tables(minor: float, radii: tuple[float, float]) -> None:
    standard = Ellipse(1.0, minor, 0.0)
    assert (cep50(standard), r95(standard)) == pytest.approx(radii, abs=1e-6)


@given(covariances())
def test_cep_r95_and_confidence_agree_with_each_other(covariance: Covariance) -> None:
    standard = standard_ellipse(covariance)
    assert confidence(standard, cep50(standard)) == pytest.approx(0.5, abs=1e-6)
    assert confidence(standard, r95(standard)) == pytest.approx(0.95, abs=1e-6)


@given(covariances(), st.lists(st.floats(1e-6, 1e9), min_size=2, max_size=6))
def test_confidence_is_a_probability_that_grows_with_the_radius(
    covariance: Covariance, radii: list[float]
) -> None:
    standard = standard_ellipse(covariance)
    values = [confidence(standard, radius) for radius in sorted(radii)]
    assert values[0] > 0
    assert values[-1] <= 1
    assert all(low <= high + 1e-7 for low, high in pairwise(values))


@given(st.lists(covariances(), min_size=1, max_size=8), st.floats(1, 1e6))
def test_many_at_once_are_what_each_is_alone(given_covariances: list[Covariance], radius: float) -> None:
    together = standard_ellipses(given_covariances)
    alone = [standard_ellipse(one) for one in given_covariances]
    for one, same in zip(each(together), alone, strict=True):
        assert one.semi_major_m == pytest.approx(same.semi_major_m, rel=1e-14)
        assert one.semi_minor_m == pytest.approx(same.semi_minor_m, rel=1e-14)
        assert one.theta_deg == pytest.approx(same.theta_deg, abs=1e-12)
    assert cep50(together) == pytest.approx([cep50(one) for one in alone], rel=1e-12)
    assert r95(together) == pytest.approx([r95(one) for one in alone], rel=1e-12)
    assert confidence(together, radius) == pytest.approx(
        [confidence(one, radius) for one in alone], rel=1e-12
    )
    assert together.orientation_deg == pytest.approx([one.orientation_deg for one in alone], abs=1e-12)
    assert each(many(alone)) == alone


@given(covariances(), st.floats(0.1, 10))
def test_the_outline_lies_at_the_ellipses_own_distance(covariance: Covariance, k: float) -> None:
    standard = standard_ellipse(covariance)
    east, north = outline(standard.scaled(k), np.linspace(0, 2 * math.pi, 17))
    # East and north of a point far along the major axis are rounded there, by up to a/b ulps across it.
    rounding = 1e-14 * standard.semi_major_m / standard.semi_minor_m
    distances: NDArray[np.float64] = mahalanobis(many([standard]), east, north)
    assert distances == pytest.approx(np.full(17, k), rel=1e-9 + rounding)


def test_the_outline_starts_on_the_major_axis_and_runs_counter_clockwise() -> None:
    east, north = outline(Ellipse(5.0, 2.0, 30.0), np.array([0, math.pi / 2]))
    assert (east[0], north[0]) == pytest.approx((5 * math.cos(math.pi / 6), 2.5))
    assert (east[1], north[1]) == pytest.approx((-1.0, 2 * math.cos(math.pi / 6)))
