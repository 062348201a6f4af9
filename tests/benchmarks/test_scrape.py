"""The gateway's own counters."""

from prometheus_client import generate_latest

from benchmarks import scrape
from gateway.telemetry.metrics import Metrics

TEXT = """# TYPE fixgate_predictions_total counter
fixgate_predictions_total{cache="hit",model="a",version="1"} 80.0
fixgate_predictions_total{cache="hit",model="b",version="1"} 1e+01
fixgate_predictions_total{cache="miss",model="a",version="1"} 10.0
fixgate_predictions_created{cache="hit",model="a",version="1"} 5.0
"""


def test_outcomes_are_added_over_models_and_versions() -> None:
    assert scrape.parse(TEXT) == {"hit": 90, "miss": 10}
    assert scrape.hit_rate(scrape.parse(TEXT)) == 0.9


def test_only_what_came_since_counts() -> None:
    assert scrape.since({"hit": 40}, {"hit": 90, "miss": 10}) == {"hit": 50, "miss": 10}
    assert scrape.hit_rate({}) == 0


def test_a_gateway_that_has_predicted_nothing_has_no_outcomes() -> None:
    assert scrape.parse(generate_latest(Metrics().registry).decode()) == {}
