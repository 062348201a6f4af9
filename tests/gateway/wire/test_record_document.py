"""Records of versions as JSON."""

import pytest

from contract.histogram import Histogram
from contract.version_record import VersionRecord
from gateway.wire.record_document import record_document


def of(*values: float) -> Histogram:
    made = Histogram()
    for value in values:
        made.add(value)
    return made


def test_what_is_not_known_is_left_out() -> None:
    assert record_document(VersionRecord()) == {"requests": 0, "errors": {}, "fell_back": 0}


def test_traffic_and_comparison_are_told() -> None:
    told = record_document(
        VersionRecord(
            answered=3,
            errors={"Unavailable": 1},
            hits=1,
            looked_up=2,
            latency_ms=of(1.0, 2.0, 100.0),
            semi_major_m=of(1000.0, 3000.0),
            mirrored=2,
            skipped={"busy": 4},
            shift_m=of(100.0, 300.0, 500.0),
            overlap=of(0.5, 0.9, 0.9),
            champion_semi_major_m=of(600.0, 600.0, 600.0),
        )
    )
    assert (told["requests"], told["error_rate"], told["cache_hit_rate"]) == (4, 0.25, 0.5)
    assert told["mean_semi_major_m"] == 2000.0
    assert told["latency_ms"] == {
        "p50": pytest.approx(2.0, rel=0.02),
        "p95": pytest.approx(2.0, rel=0.02),
        "p99": pytest.approx(2.0, rel=0.02),
    }
    comparison = told["comparison"]
    assert (comparison["count"], comparison["errors"], comparison["skipped"]) == (3, {}, {"busy": 4})
    assert comparison["distance_m"]["median"] == pytest.approx(300, rel=0.02)
    assert comparison["overlap"]["median"] == pytest.approx(0.9, rel=0.02)
    assert comparison["relative_shift"] == pytest.approx(0.5, rel=0.05)
    assert "latency_ms" not in comparison
