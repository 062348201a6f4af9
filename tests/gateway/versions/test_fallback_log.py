"""What the log says of fallbacks."""

import logging

import pytest

from gateway.domain import Covariance, Fix, Options
from gateway.prediction import Prediction, derive
from gateway.versions.fallback_log import FallbackLog


def prediction(version: int) -> Prediction:
    """An answer of that version."""
    fix = Fix(45.0, 9.0, Covariance(1.0, 1.0, 0.0))
    derived = derive(fix, sigma_scale=1.0, level=0.68, radius_m=1.0)
    return Prediction("id", "m", version, derived, Options(), "miss", 1.0, 0.0)


def test_each_change_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    log = FallbackLog()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            log.fell_back("m", 2, 1)
            log.answered(prediction(1))
        for _ in range(3):
            log.answered(prediction(2))
        log.fell_back("m", 2, 1)
    assert [record.getMessage() for record in caplog.records] == [
        'model "m" version 2 is not available: version 1 answers for it',
        'model "m" version 2 answers again',
        'model "m" version 2 is not available: version 1 answers for it',
    ]
