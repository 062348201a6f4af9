"""Two thousand fixes all over the world, as gateways write them; the last ones where maps are difficult."""

import time
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from gateway.domain import Covariance, Fix
from gateway.kept.live import FIELD, LENGTH, STREAM
from gateway.kept.live_fix import LiveFix
from gateway.uncertainty.ellipse import cep50, confidence, r95, standard_ellipse
from gateway.wire.identifier import uuid7

if TYPE_CHECKING:
    from redis import Redis

COUNT = LENGTH
DIFFICULT = ((52.0, 179.95), (-17.5, -179.9), (89.6, 20.0), (-89.7, -100.0))


def crowd(client: "Redis[bytes] | Redis") -> None:  # type: ignore[type-arg]
    """Write them."""
    draw = np.random.default_rng(1)
    now = time.time()
    with client.pipeline(transaction=False) as pipeline:
        for number in range(COUNT):
            difficult = number - (COUNT - len(DIFFICULT))
            if difficult >= 0:
                latitude, longitude = DIFFICULT[difficult]
                east, north, rho = 60_000.0, 35_000.0, 0.3
            else:
                latitude, longitude = float(draw.uniform(-65, 72)), float(draw.uniform(-180, 180))
                east, north = (float(10 ** draw.uniform(3, 5.2)) for _ in range(2))
                rho = float(draw.uniform(-0.8, 0.8))
            covariance = Covariance(east**2, north**2, rho * east * north)
            one = _live(Fix(latitude, longitude, covariance), 1 + number % 2, now - (COUNT - number) * 0.2)
            entry: Any = {FIELD: msgspec.json.encode([one])}
            pipeline.xadd(STREAM, entry)
        pipeline.execute()


def _live(fix: Fix, version: int, at: float) -> LiveFix:
    standard, covariance = standard_ellipse(fix.covariance), fix.covariance
    return LiveFix(
        id=uuid7(),
        at=at,
        model="localization",
        version=version,
        latitude=fix.latitude,
        longitude=fix.longitude,
        var_east=covariance.var_east,
        var_north=covariance.var_north,
        cov=covariance.cov,
        cep50_m=cep50(standard),
        r95_m=r95(standard),
        confidence=confidence(standard, 10_000.0),
        cache="miss",
        inference_time_ms=4.0,
        session_id="crowd",
        stages_ms={"parse": 0.4, "triton": 3.2},
    )
