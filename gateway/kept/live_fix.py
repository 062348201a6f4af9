"""A fix as whoever watches sees it: the prediction with what made it. Pure."""

from collections.abc import Mapping

import msgspec

from gateway.domain import Covariance, Fix
from gateway.prediction import CacheOutcome, Prediction
from gateway.wire.response import NO_SESSION


class LiveFix(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fix with what made it. Degrees, m², metres, milliseconds; `at` Unix seconds.

    passed_over: fixes made by the same process just before that were not handed over.
    """

    id: str
    at: float
    model: str
    version: int
    latitude: float
    longitude: float
    var_east: float
    var_north: float
    cov: float
    cep50_m: float
    r95_m: float
    confidence: float
    cache: CacheOutcome
    inference_time_ms: float
    session_id: str
    stages_ms: dict[str, float]
    frequency_mhz: float | None = None
    sample_id: str | None = None
    passed_over: int = 0

    @property
    def fix(self) -> Fix:
        """The fix."""
        return Fix(self.latitude, self.longitude, Covariance(self.var_east, self.var_north, self.cov))


def live_fix(prediction: Prediction, stages_ms: Mapping[str, float], passed_over: int = 0) -> LiveFix:
    """What watchers see of a prediction."""
    derived, options = prediction.derived, prediction.options
    covariance = derived.fix.covariance
    return LiveFix(
        id=prediction.id,
        at=prediction.at,
        model=prediction.model,
        version=prediction.version,
        latitude=derived.fix.latitude,
        longitude=derived.fix.longitude,
        var_east=covariance.var_east,
        var_north=covariance.var_north,
        cov=covariance.cov,
        cep50_m=derived.cep50_m,
        r95_m=derived.r95_m,
        confidence=derived.confidence,
        cache=prediction.cache,
        inference_time_ms=round(prediction.inference_time_ms, 3),
        session_id=options.session_id or NO_SESSION,
        stages_ms={stage: round(ms, 3) for stage, ms in stages_ms.items()},
        frequency_mhz=options.frequency_mhz,
        sample_id=prediction.sample_id,
        passed_over=passed_over,
    )
