"""Live fixes and the gateway's last minutes, as the console reads them. Pure."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from gateway.kept.live_fix import LiveFix
from gateway.telemetry import history
from gateway.telemetry.history import STEP_S, STEPS, Step
from gateway.uncertainty.ellipse import Ellipse, each, scale_at, standard_ellipses
from gateway.uncertainty.footprint import Footprint, NoFootprint, footprints
from gateway.wire.problem import timestamp

OBJECTIVE_MS = 500.0
"""95 of 100 requests are to be answered within this."""

_DEGREE_M = 111_000.0


def live_documents(fixes: Sequence[LiveFix], level: float) -> list[dict[str, Any]]:
    """Each fix with its ellipse and its outline at a confidence level.

    `outline`: rings of longitude and latitude alternating, as few decimals as show no difference; or
    `no_outline` says why there is none.
    """
    if not fixes:
        return []
    standard = standard_ellipses([one.fix.covariance for one in fixes])
    k = scale_at(level)
    scaled = Ellipse(standard.semi_major_m * k, standard.semi_minor_m * k, standard.theta_deg)
    outlines = footprints([one.fix for one in fixes], scaled)
    return [
        _live_document(one, ellipse, outline, level)
        for one, ellipse, outline in zip(fixes, each(scaled), outlines, strict=True)
    ]


def _live_document(
    one: LiveFix, ellipse: Ellipse[float], outline: Footprint | NoFootprint, level: float
) -> dict[str, Any]:
    document: dict[str, Any] = {
        **msgspec.to_builtins(one),
        "version": str(one.version),
        "timestamp": timestamp(datetime.fromtimestamp(one.at, UTC)),
        "ellipse": {
            "semi_major_m": round(ellipse.semi_major_m, 3),
            "semi_minor_m": round(ellipse.semi_minor_m, 3),
            "orientation_deg": round(ellipse.orientation_deg, 3),
            "confidence_level": level,
            "area_m2": ellipse.area_m2,
        },
    }
    if isinstance(outline, NoFootprint):
        document["no_outline"] = str(outline)
    else:
        decimals = _decimals(ellipse.semi_minor_m)
        document["outline"] = [np.round(ring, decimals).ravel().tolist() for ring in outline.rings]
    return document


def _decimals(semi_minor_m: float) -> int:
    """Of degrees, so that rounding moves a point by less than half a percent of the ellipse."""
    return min(max(math.ceil(math.log10(100 * _DEGREE_M / semi_minor_m)), 3), 9)


def history_document(steps: Sequence[Step], gateways: int, shared: bool, now: float) -> dict[str, Any]:
    """The last fifteen minutes; steps in which nothing happened are left out."""
    return {
        "step_s": STEP_S,
        "steps": [_step_document(one) for one in history.merged(steps)],
        "all": _step_document(history.whole(steps)),
        "window_s": STEP_S * STEPS,
        "objective_ms": OBJECTIVE_MS,
        "gateways": gateways,
        "shared": shared,
        "now": round(now, 3),
    }


def _step_document(step: Step) -> dict[str, Any]:
    document: dict[str, Any] = {
        "at": step.at,
        "requests": step.requests,
        "errors": step.errors,
        "refused": step.refused,
        "hits": step.hits,
        "looked_up": step.looked_up,
        "queue": step.queue,
    }
    for name, q in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        if (found := step.times_ms.quantile(q)) is not None:
            document[name] = round(found, 3)
    return document
