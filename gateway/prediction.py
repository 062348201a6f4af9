"""A fix with the numbers derived from it for one request. Pure."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from gateway.domain import Fix, Options
from gateway.uncertainty.ellipse import (
    Ellipse,
    cep50,
    confidence,
    each,
    r95,
    scale_at,
    standard_ellipse,
    standard_ellipses,
)

CacheOutcome = Literal["hit", "miss", "coalesced", "bypass"]
"""From the cache; computed; computed for an identical request at the same time; asked not to look."""


class Derived(msgspec.Struct, frozen=True, eq=False):
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


REMEMBERED = 1 << 12
"""Fixes and levels whose numbers are remembered: a cached fix is asked about again."""

_known: dict[tuple[Fix, float, float, float], Derived] = {}


def derive(raw: Fix, *, sigma_scale: float, level: float, radius_m: float) -> Derived:
    """Scale every σ, then describe the result at this level.

    Args:
        raw: the model's own fix.
        level: in (0, 1).
        radius_m: what `confidence` refers to.
    """
    asked = (raw, sigma_scale, level, radius_m)
    if (derived := _known.get(asked)) is not None:
        return derived
    fix = raw.scaled(sigma_scale)
    standard = standard_ellipse(fix.covariance)
    derived = Derived(
        fix=fix,
        ellipse=standard.scaled(scale_at(level)),
        cep50_m=cep50(standard),
        r95_m=r95(standard),
        confidence=confidence(standard, radius_m),
    )
    _remember(asked, derived)
    return derived


def derive_ahead(raws: Iterable[Fix], *, sigma_scale: float, level: float, radius_m: float) -> None:
    """Have `derive` know the answer for these: many at once cost a tenth of what each alone does."""
    asked = [raw for raw in raws if (raw, sigma_scale, level, radius_m) not in _known]
    if len(asked) < 2:
        return
    fixes = [raw.scaled(sigma_scale) for raw in asked]
    standard = standard_ellipses([fix.covariance for fix in fixes])
    columns = (cep50(standard), r95(standard), confidence(standard, radius_m))
    rows = zip(*(column.tolist() for column in columns), strict=True)
    ellipses = each(standard.scaled(scale_at(level)))
    for raw, fix, ellipse, numbers in zip(asked, fixes, ellipses, rows, strict=True):
        _remember((raw, sigma_scale, level, radius_m), Derived(fix, ellipse, *numbers))


def _remember(asked: tuple[Fix, float, float, float], derived: Derived) -> None:
    """The oldest make room."""
    _known[asked] = derived
    while len(_known) > REMEMBERED:
        _known.pop(next(iter(_known)), None)
