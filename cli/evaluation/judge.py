"""A labelled set through the gateway, and what it says of the model's uncertainty."""

import hashlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cli.client import GatewayClient, Refusal
from cli.evaluation.labelled_set import LabelledSet
from gateway.domain import Covariance, Fix
from gateway.uncertainty.calibration import Outcomes, Summary, fit_scale, outcomes, summarise, worst_miss

FATAL = (401, 403, 404)
"""Refusals that no other recording can escape."""


class NothingToJudge(Exception):
    """Not one recording got an answer; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Answers held against their truths, in the set's order; `failures` counts reasons for having none."""

    outcomes: Outcomes
    sessions: tuple[str, ...]
    regions: tuple[str, ...]
    failures: dict[str, int]


@dataclass(frozen=True, slots=True)
class Fit:
    """A factor on σ found on one half of the set; `before` and `after` are about the other half."""

    scale: float
    fitted_on: int
    before: float
    after: float

    @property
    def helps(self) -> bool:
        """Whether the other half is better off with it."""
        return self.after < self.before


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What is reported. With a fit, everything but `failures` is about the half that it did not see,
    every σ multiplied by the fitted scale. `sigma_scale` is the one in force, or the one proposed."""

    outcomes: Outcomes
    overall: Summary
    regions: dict[str, Summary]
    failures: dict[str, int]
    sigma_scale: float
    fit: Fit | None = None


def ask(
    client: GatewayClient, path: str, labelled: LabelledSet, *, concurrency: int, advance: Callable[[], None]
) -> Judged:
    """Post every recording, past the cache, `concurrency` at a time; `advance` is called for each.

    Raises:
        GatewayError: no gateway answers, or it refuses for a reason that all recordings share.
        NothingToJudge: every recording failed.
    """

    def one(index: int) -> Fix | str:
        body = labelled.body(index)
        try:
            document = client.post(
                path, body.content, body.media_type, {"cache_enabled": "false"} | body.query
            )
        except Refusal as error:
            if error.status in FATAL:
                raise
            return str(error)
        finally:
            advance()
        return fix_of(document)

    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="evaluate")
    try:
        answers = list(pool.map(one, range(len(labelled))))
    finally:
        pool.shutdown(cancel_futures=True)
    return judge(labelled, answers)


def judge(labelled: LabelledSet, answers: list[Fix | str]) -> Judged:
    """Hold answers against the truths; a string says why there is none.

    Raises:
        NothingToJudge: there is no fix among them.
    """
    failures = dict(Counter(answer for answer in answers if isinstance(answer, str)))
    rows = [row for row, answer in enumerate(answers) if isinstance(answer, Fix)]
    if not rows:
        raise NothingToJudge(
            f"none of {len(answers):,} recordings got an answer: {max(failures, key=failures.__getitem__)}"
        )
    return Judged(
        outcomes([answer for answer in answers if isinstance(answer, Fix)], labelled.truths[rows]),
        tuple(labelled.sessions[row] for row in rows),
        tuple(labelled.regions[row] for row in rows),
        failures,
    )


def evaluate(judged: Judged, sigma_scale: float) -> Evaluation:
    """Describe the whole set as the version answers now."""
    return Evaluation(
        judged.outcomes,
        summarise(judged.outcomes),
        _by_region(judged.outcomes, judged.regions),
        judged.failures,
        sigma_scale,
    )


def evaluate_fit(judged: Judged, sigma_scale: float) -> Evaluation:
    """Fit a factor on σ on one half of the sessions, describe the other half with it.

    Raises:
        NothingToJudge: one of the halves is empty, or tells nothing about σ.
    """
    first = np.array([in_first_half(session) for session in judged.sessions])
    if first.all() or not first.any():
        raise NothingToJudge("the set cannot be halved: all of its recordings are of one session, or too few")
    try:
        scale = fit_scale(judged.outcomes.distance[first])
    except ValueError as error:
        raise NothingToJudge(str(error)) from None
    other = judged.outcomes.where(~first)
    scaled = other.rescaled(scale)
    regions = tuple(region for region, seen in zip(judged.regions, first.tolist(), strict=True) if not seen)
    fit = Fit(scale, int(first.sum()), worst_miss(other.distance), worst_miss(scaled.distance))
    by_region = _by_region(scaled, regions)
    return Evaluation(scaled, summarise(scaled), by_region, judged.failures, sigma_scale * scale, fit)


def in_first_half(session: str) -> bool:
    """Which half of a set a session belongs to: the same on every machine, whatever else is in the set."""
    return hashlib.blake2b(session.encode("utf-8", "surrogatepass"), digest_size=1).digest()[0] % 2 == 0


def fix_of(document: dict[str, Any]) -> Fix:
    """The fix in a prediction document."""
    uncertainty = document["uncertainty"]
    east, north = uncertainty["sigma_x"], uncertainty["sigma_y"]
    covariance = Covariance(east * east, north * north, uncertainty["rho"] * east * north)
    return Fix(document["position"]["latitude"], document["position"]["longitude"], covariance)


def _by_region(found: Outcomes, regions: tuple[str, ...]) -> dict[str, Summary]:
    labels: NDArray[np.str_] = np.array(regions)
    return {str(name): summarise(found.where(labels == name)) for name in sorted(set(regions))}
