"""Whether a version may have more traffic (pure): its record against the champion's of the same time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from contract.rollout import Guards
from contract.version_record import COARSE, FINE, VersionRecord

ENOUGH_PAIRS = 30
"""Recordings answered by both, before the distance between the fixes is judged by its median."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What gateways recorded: the version's and the champion's windows of the present step, and the version's
    since the rollout began, for what both answered of the same recordings."""

    version: VersionRecord
    champion: VersionRecord
    since_start: VersionRecord


@dataclass(frozen=True, slots=True)
class Verdict:
    """`broken`: guards that do not hold, each in words. `missing`: what has to come before all do."""

    broken: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def window(since: float, now: float) -> tuple[float, float]:
    """What to read of the records to judge [since, now], Unix seconds.

    The window that `since` falls into counts as a whole, so that nothing that happens is overlooked; of the
    long ones, which are read once [since, now] is too long for the others, only those that lie within.
    Nothing is kept longer than those.
    """
    if now - since <= FINE.keep_s - FINE.window_s:
        return since, now
    since = max(since, now - COARSE.keep_s)
    start = float(math.ceil(since / COARSE.window_s) * COARSE.window_s)
    return start, max(now, start)


def meant(record: VersionRecord) -> int:
    """How many requests were meant for a version, but for the clients' own errors."""
    return record.answered + record.faults


def judge(guards: Guards, evidence: Evidence) -> Verdict:
    """Judge a version that gets a share of the traffic.

    A limit that the champion does not keep either, in the same window, is no fault of the version's:
    nothing is broken, but it gets no more before both do better.
    """
    broken, missing = [], []
    for fault, lack in (*_rate(guards, evidence), *_p95(guards, evidence), *_shift(guards, evidence)):
        broken += [fault] if fault else []
        missing += [lack] if lack else []
    if (requests := meant(evidence.version)) < guards.min_requests:
        missing.insert(0, f"{requests} of {guards.min_requests} requests")
    return Verdict(tuple(broken), tuple(missing))


Finding = tuple[str, str]
"""What is broken and what is missing, in words; empty when nothing is."""


def _rate(guards: Guards, evidence: Evidence) -> Iterator[Finding]:
    limit, rate = guards.max_error_rate, evidence.version.error_rate
    if limit is None or rate is None:
        return
    requests = meant(evidence.version)
    # With fewer than are needed: only what the rest, all answered well, could not make good.
    if rate * requests <= limit * max(requests, guards.min_requests):
        return
    champion = evidence.champion.error_rate
    text = f"error rate {rate:.2%} of {requests} (limit {limit:.2%}, champion {_percent(champion)})"
    yield _blame(text, worse=champion is None or rate > champion)


def _p95(guards: Guards, evidence: Evidence) -> Iterator[Finding]:
    limit, p95 = guards.max_p95_ms, evidence.version.latency_ms.quantile(0.95)
    if limit is None or p95 is None or p95 <= limit or meant(evidence.version) < guards.min_requests:
        return
    champion = evidence.champion.latency_ms.quantile(0.95)
    told = "none" if champion is None else f"{champion:.0f} ms"
    text = f"p95 {p95:.0f} ms (limit {limit:g} ms, champion {told})"
    yield _blame(text, worse=champion is None or p95 > champion)


def _shift(guards: Guards, evidence: Evidence) -> Iterator[Finding]:
    if guards.max_shift is None:
        return
    pairs, needed = evidence.since_start.shift_m.count, min(ENOUGH_PAIRS, guards.min_requests)
    shift = evidence.since_start.relative_shift
    if pairs < needed or shift is None:
        yield "", f"{pairs} of {needed} recordings answered by both versions"
    elif shift > guards.max_shift:
        distance = evidence.since_start.shift_m.quantile(0.5) or 0.0
        text = f"shift {shift:.2f} (limit {guards.max_shift:g}): the fixes of {pairs} recordings differ by "
        yield f"{text}{distance:.0f} m in the median", ""


def _blame(text: str, *, worse: bool) -> Finding:
    return (text, "") if worse else ("", f"{text}: the champion does no better")


def _percent(rate: float | None) -> str:
    return "none" if rate is None else f"{rate:.2%}"
