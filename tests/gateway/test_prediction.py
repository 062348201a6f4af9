"""The numbers derived from a fix: many at once as each alone, and remembered up to a bound."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import prediction as predictions
from gateway.domain import Covariance, Fix
from gateway.prediction import Derived, derive, derive_ahead


def covariance(major: float, ratio: float, angle: float) -> Covariance:
    """That of these σ along axes turned by `angle`, radians."""
    minor, cos, sin = major * ratio, math.cos(angle), math.sin(angle)
    a, b = major * major, minor * minor
    return Covariance(a * cos * cos + b * sin * sin, a * sin * sin + b * cos * cos, (a - b) * sin * cos)


COVARIANCES = st.builds(
    covariance, st.floats(1.0, 1e6), st.floats(1e-3, 1.0), st.floats(-math.pi, math.pi)
) | st.builds(Covariance, st.just(400.0), st.just(400.0), st.just(0.0))
FIXES = st.builds(Fix, st.floats(-90, 90), st.floats(-180, 179), COVARIANCES)


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "_known", {})


def fixes(count: int) -> list[Fix]:
    """Different ones."""
    return [Fix(float(place), 9.0, Covariance(400.0 + place, 100.0, 10.0)) for place in range(count)]


def known() -> list[float]:
    """Latitudes of the fixes whose numbers are remembered, the longest known first."""
    return [asked[0].latitude for asked in predictions._known]


def numbers(derived: Derived) -> Sequence[float]:
    """All of them; the direction as on the circle that it lies on."""
    ellipse, covariance = derived.ellipse, derived.fix.covariance
    turned = math.radians(2 * ellipse.theta_deg)
    return (
        ellipse.semi_major_m, ellipse.semi_minor_m, math.cos(turned), math.sin(turned), derived.cep50_m,
        derived.r95_m, derived.confidence, covariance.var_east, covariance.var_north, covariance.cov,
        derived.fix.latitude, derived.fix.longitude,
    )  # fmt: skip


@given(
    raws=st.lists(FIXES, min_size=2, max_size=8, unique=True),
    sigma_scale=st.sampled_from([1.0, 0.7, 2.5]),
    level=st.sampled_from([0.5, 0.68, 0.95]),
    radius_m=st.floats(1.0, 1e5),
)
def test_many_at_once_get_the_numbers_that_each_gets_alone(
    raws: list[Fix], sigma_scale: float, level: float, radius_m: float
) -> None:
    asked = {"sigma_scale": sigma_scale, "level": level, "radius_m": radius_m}
    predictions._known.clear()
    alone = [derive(raw, **asked) for raw in raws]
    predictions._known.clear()
    derive_ahead(raws, **asked)
    assert len(predictions._known) == len(raws)
    for raw, one in zip(raws, alone, strict=True):
        ahead = derive(raw, **asked)
        assert ahead is not one
        assert numbers(ahead) == pytest.approx(numbers(one), rel=1e-9, abs=1e-9)
        assert all(type(number) is float for number in numbers(ahead))


def test_what_is_known_is_not_worked_out_again() -> None:
    raws = fixes(3)
    first = derive(raws[0], sigma_scale=1.0, level=0.68, radius_m=1e3)
    derive_ahead(raws, sigma_scale=1.0, level=0.68, radius_m=1e3)
    again = [derive(raw, sigma_scale=1.0, level=0.68, radius_m=1e3) for raw in raws]
    assert again[0] is first
    assert again == [derive(raw, sigma_scale=1.0, level=0.68, radius_m=1e3) for raw in raws]


@pytest.mark.parametrize("other", [{"sigma_scale": 2.0}, {"level": 0.95}, {"radius_m": 30.0}])
def test_what_else_was_asked_is_another_answer(other: dict[str, float]) -> None:
    (raw,) = fixes(1)
    asked = {"sigma_scale": 1.0, "level": 0.68, "radius_m": 1e3}
    first, second = derive(raw, **asked), derive(raw, **(asked | other))
    assert numbers(first) != numbers(second)


def test_a_fix_alone_is_not_worked_out_ahead() -> None:
    derive_ahead(fixes(1), sigma_scale=1.0, level=0.68, radius_m=1e3)
    assert known() == []


def test_no_more_are_remembered_than_the_bound_and_the_oldest_make_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(predictions, "REMEMBERED", 4)
    for raw in fixes(6):
        derive(raw, sigma_scale=1.0, level=0.68, radius_m=1e3)
        assert len(known()) <= 4
    assert known() == [2.0, 3.0, 4.0, 5.0]
    derive_ahead(fixes(20)[10:], sigma_scale=1.0, level=0.68, radius_m=1e3)
    assert known() == [16.0, 17.0, 18.0, 19.0]
