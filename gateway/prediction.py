"""A fix with the numbers derived from it for one request. Pure."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import msgspec

from gateway.domain import Fix, Options
from gateway.uncertainty.ellipse import Ellipse, cep50, confidence, r95, scale_at, standard_ellipse

CacheOutcome = Literal["hit", "miss", "coalesced", "bypass"]
"""From the cache; computed; computed for an identical request at the same time; asked not to look."""


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """What follows from a fix at one confidence level; metres, degrees, m²."""

    fix: Fix
    ellipse: Ellipse[float]
    cep50_m: float
    r95_m: float
    confidence: float


class Prediction(msgspec.Struct, frozen=True, eq=False):
    """One answer. `inference_time_ms` is from the request's first byte to this answer; `at` Unix seconds.

    fallback_from: the version whose turn it was, when it was not available. edition: see ServedVersion.
    """

    id: str
    model: str
    version: int
    derived: Derived
    options: Options
    cache: CacheOutcome
    inference_time_ms: float
    at: float
    sample_id: str | None = None
    fallback_from: int | None = None
    edition: str = ""


@lru_cache(maxsize=1 << 14)
def derive(raw: Fix, *, sigma_scale: float, level: float, radius_m: float) -> Derived:
    """Scale every σ, then describe the result at this level. Remembered: a cached fix is asked about again.

    Args:
        raw: the model's own fix.
        level: in (0, 1).
        radius_m: what `confidence` refers to.
    """
    fix = Fix(raw.latitude, raw.longitude, raw.covariance.scaled(sigma_scale))
    standard = standard_ellipse(fix.covariance)
    return Derived(
        fix=fix,
        ellipse=standard.scaled(scale_at(level)),
        cep50_m=cep50(standard),
        r95_m=r95(standard),
        confidence=confidence(standard, radius_m),
    )
