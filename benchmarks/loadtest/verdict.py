"""Whether a load test is passed (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

MEAN_MS, P95_MS, P99_MS, HIT_RATE = 300.0, 500.0, 700.0, 0.8
STRESS_SHARE, STRESS_P95_MS = 0.7, 1000.0


class Request(msgspec.Struct, frozen=True, array_like=True):
    """One request: its kind, seconds since the start, milliseconds, status (0: no answer)."""

    kind: str
    at_s: float
    took_ms: float
    status: int


@dataclass(frozen=True, slots=True)
class Check:
    """One condition: what it is about, the bound, the figure, and whether it holds."""

    what: str
    bound: str
    figure: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures over some requests; latencies of those that were answered with success, in milliseconds."""

    requests: int
    good: int
    refused: int
    failed: int
    per_s: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def summary(requests: Sequence[Request], seconds: float) -> Summary:
    """`refused` are answers of 503 and 429, `failed` all others that are no success."""
    took = sorted(one.took_ms for one in requests if 200 <= one.status < 300)
    refused = sum(one.status in {429, 503} for one in requests)
    return Summary(
        requests=len(requests),
        good=len(took),
        refused=refused,
        failed=len(requests) - len(took) - refused,
        per_s=len(took) / seconds,
        mean_ms=sum(took) / len(took) if took else float("nan"),
        p50_ms=_percentile(took, 0.50),
        p95_ms=_percentile(took, 0.95),
        p99_ms=_percentile(took, 0.99),
    )


def normal(told: Summary, hit_rate: float) -> list[Check]:
    """The objectives of ordinary load."""
    bad = told.refused + told.failed
    return [
        Check("mean", f"< {MEAN_MS:g} ms", f"{told.mean_ms:.0f} ms", told.mean_ms < MEAN_MS),
        Check("p95", f"< {P95_MS:g} ms", f"{told.p95_ms:.0f} ms", told.p95_ms < P95_MS),
        Check("p99", f"< {P99_MS:g} ms", f"{told.p99_ms:.0f} ms", told.p99_ms < P99_MS),
        Check("failures", "0", f"{bad:,}", bad == 0),
        Check("hit rate", f"> {HIT_RATE:.0%}", f"{hit_rate:.1%}", hit_rate > HIT_RATE),
    ]


def stress(told: Summary, ordinary: Summary) -> list[Check]:
    """Ten times the users: some are refused, and the others hardly notice."""
    share = told.per_s / ordinary.per_s if ordinary.per_s else 0.0
    return [
        Check(
            "answers, of those under ordinary load",
            f"≥ {STRESS_SHARE:.0%}",
            f"{share:.0%} ({told.per_s:.0f}/s)",
            share >= STRESS_SHARE,
        ),
        Check(
            "p95 of answers", f"< {STRESS_P95_MS:g} ms", f"{told.p95_ms:.0f} ms", told.p95_ms < STRESS_P95_MS
        ),
        Check("neither answered nor refused", "0", f"{told.failed:,}", told.failed == 0),
    ]


def _percentile(ordered: Sequence[float], share: float) -> float:
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
