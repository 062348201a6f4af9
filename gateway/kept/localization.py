"""A localisation as Heimdall's dashboard lists it: a prediction, its frequency, SNR and receivers. Pure."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.prediction import Prediction
from gateway.uncertainty.ellipse import radius, standard_ellipse
from gateway.wire.response import NO_SESSION


class Localization(msgspec.Struct, frozen=True):
    """One entry. `at` Unix seconds; degrees, metres, MHz, dB. `uncertainty_m`: 68 % lie within."""

    id: str
    session_id: str
    at: float
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    uncertainty_m: Annotated[float, Meta(ge=0)]
    confidence: Annotated[float, Meta(ge=0, le=1)]
    source_frequency_mhz: Annotated[float, Meta(gt=0)]
    snr_avg_db: float
    websdr_count: Annotated[int, Meta(gt=0)]


def localization(prediction: Prediction, receivers: int, frequency_mhz: float, snr: float) -> Localization:
    """The entry for a prediction."""
    fix = prediction.derived.fix
    return Localization(
        id=prediction.id,
        session_id=prediction.options.session_id or NO_SESSION,
        at=prediction.at,
        latitude=fix.latitude,
        longitude=fix.longitude,
        uncertainty_m=radius(standard_ellipse(fix.covariance), 0.68),
        confidence=prediction.derived.confidence,
        source_frequency_mhz=frequency_mhz,
        snr_avg_db=snr,
        websdr_count=receivers,
    )
