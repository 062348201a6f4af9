"""Predictions as JSON."""

import math

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import Covariance, Fix, Options
from gateway.prediction import Prediction, derive
from gateway.uncertainty.ellipse import cep50, confidence, r95, standard_ellipse
from gateway.wire.response import batch_document, failed_item, prediction_document, prediction_json

RHO = 0.4716
FIX = Fix(45.1, 7.6, Covariance(812.0**2, 640.0**2, RHO * 812 * 640))


def prediction(**changes: object) -> Prediction:
    """An answer."""
    made = Prediction(
        id="i",
        model="localization",
        version=3,
        derived=derive(FIX, sigma_scale=1.0, level=0.68, radius_m=1000),
        options=Options(),
        cache="miss",
        inference_time_ms=4.2,
        at=1_767_225_600.0,
    )
    return msgspec.structs.replace(made, **changes)


def test_every_field_of_an_answer() -> None:
    document = prediction_document(prediction())
    ellipse = document["ellipse"]
    standard = standard_ellipse(FIX.covariance)
    assert document == {
        "id": "i",
        "position": {"latitude": 45.1, "longitude": 7.6},
        "uncertainty": {
            "sigma_x": 812.0,
            "sigma_y": 640.0,
            "rho": pytest.approx(RHO),
            "theta": pytest.approx(31.5, abs=0.1),
            "confidence_interval": 0.68,
        },
        "ellipse": {
            "semi_major_m": pytest.approx(1358, abs=1),
            "semi_minor_m": pytest.approx(769, abs=1),
            "orientation_deg": pytest.approx(58.5, abs=0.1),
            "confidence_level": 0.68,
            "area_m2": pytest.approx(math.pi * ellipse["semi_major_m"] * ellipse["semi_minor_m"]),
            "cep50_m": pytest.approx(cep50(standard)),
            "r95_m": pytest.approx(r95(standard)),
        },
        "confidence": pytest.approx(confidence(standard, 1000)),
        "model": "localization",
        "model_version": "3",
        "inference_time_ms": 4.2,
        "timestamp": "2026-01-01T00:00:00.000Z",
        "session_id": "unknown",
        "_cache_hit": False,
    }


def test_what_was_given_is_echoed() -> None:
    options = Options(session_id="s", confidence_level=0.95)
    document = prediction_document(prediction(options=options, sample_id="a", cache="hit"))
    assert (document["session_id"], document["sample_id"], document["_cache_hit"]) == ("s", "a", True)
    assert document["ellipse"]["confidence_level"] == 0.95


@pytest.mark.parametrize("outcome", ["miss", "coalesced", "bypass"])
def test_only_the_cache_makes_a_hit(outcome: str) -> None:
    assert prediction_document(prediction(cache=outcome))["_cache_hit"] is False


def test_the_level_scales_the_ellipse_and_not_the_sigmas() -> None:
    wide = prediction(derived=derive(FIX, sigma_scale=1.0, level=0.95, radius_m=1000))
    near, far = prediction_document(prediction()), prediction_document(wide)
    assert near["uncertainty"]["sigma_x"] == far["uncertainty"]["sigma_x"]
    ratio = math.sqrt(math.log(0.05) / math.log(0.32))
    assert far["ellipse"]["semi_major_m"] == pytest.approx(ratio * near["ellipse"]["semi_major_m"])


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(
    level=st.floats(0.01, 0.99),
    session_id=st.none() | texts,
    fields=st.fixed_dictionaries(
        {
            "model": texts,
            "sample_id": st.none() | texts,
            "inference_time_ms": st.floats(0, 1e6),
            "at": st.floats(0, 4e9),
            "cache": st.sampled_from(["hit", "miss"]),
        }
    ),
)
def test_the_rendered_answer_is_the_document(
    level: float, session_id: str | None, fields: dict[str, object]
) -> None:
    derived = derive(FIX, sigma_scale=1.5, level=level, radius_m=1000)
    options = Options(session_id=session_id, confidence_level=level)
    made = prediction(derived=derived, options=options, **fields)
    for _ in range(2):  # rendered, then remembered
        assert orjson.loads(prediction_json(made)) == prediction_document(made)


def test_what_is_remembered_of_one_answer_is_not_said_in_another() -> None:
    """The same fix at another level, from another model or version."""
    other = derive(FIX, sigma_scale=1.0, level=0.95, radius_m=1000)
    variants = [
        prediction(),
        prediction(model="other"),
        prediction(version=4),
        prediction(derived=other, options=Options(confidence_level=0.95)),
        prediction(derived=derive(FIX, sigma_scale=2.0, level=0.68, radius_m=1000)),
    ]
    for _ in range(2):
        for one in variants:
            assert orjson.loads(prediction_json(one)) == prediction_document(one)
    assert len({prediction_json(one) for one in variants}) == len(variants)


def test_a_batch_adds_up() -> None:
    good = [prediction(), prediction(cache="hit")]
    items = [prediction_document(good[0]), failed_item("1", {"status": 400}), prediction_document(good[1])]
    document = batch_document("b", items, good, 20.0)
    assert document.pop("predictions") == items
    assert items[1] == {"sample_id": "1", "success": False, "error": {"status": 400}}
    assert document == {
        "batch_id": "b",
        "batch_size": 3,
        "successful": 2,
        "failed": 1,
        "total_time_ms": 20.0,
        "samples_per_second": 150.0,
        "cache_hit_rate": 0.5,
    }


def test_a_batch_of_failures_has_a_hit_rate_too() -> None:
    assert batch_document("b", [failed_item("0", {})], [], 1.0)["cache_hit_rate"] == 0.0
