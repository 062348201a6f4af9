"""Counts by model."""

from gateway.errors import BadAnswer
from gateway.telemetry.counters import Counters
from tests.gateway.telemetry.noted import predicted
from tests.gateway.wire.test_response import prediction


def test_a_model_that_was_never_asked_has_no_rates() -> None:
    count = Counters().of("m")
    assert (count.successful, count.failed) == (0, 0)
    assert (count.average_ms, count.hit_rate, count.last_at) == (None, None, None)


def test_counts_add_up_by_model() -> None:
    counters = Counters()
    for outcome, ms in (("miss", 4.0), ("hit", 2.0), ("bypass", 6.0)):
        predicted(counters, prediction(cache=outcome, inference_time_ms=ms, at=7.0))
    predicted(counters, prediction(model="other"))
    counters.failed("localization", 3, BadAnswer("no"))
    count = counters.of("localization")
    assert (count.successful, count.failed, count.average_ms, count.last_at) == (3, 1, 4.0, 7.0)
    assert count.hit_rate == 0.5


def test_a_rate_counts_only_who_asked_the_cache() -> None:
    counters = Counters()
    predicted(counters, prediction(cache="bypass"))
    assert counters.of("localization").hit_rate is None
