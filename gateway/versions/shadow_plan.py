"""Which versions are compared with the champion, on whose answers, and on what input. Pure.

The version with the alias `shadow` is given what the champion and its rivals answer. Rivals are the versions
with a share of the traffic beside the champion, and the one that a rollout is about: a sample of what one
side answers is given to the other, so that both fixes of the same recordings are known.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from contract.catalog import ServedModel, ServedVersion
from contract.model import MelInput, ModelContract
from gateway.domain import Options, PredictRequest
from gateway.errors import InvalidInput
from gateway.versions.routing import CHAMPION, SHADOW, Route


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that is compared with the champion; `sampled`: a few times a second instead of by share."""

    version: ServedVersion
    sampled: bool


@dataclass(frozen=True, slots=True)
class ShadowPlan:
    """Who is compared on whose answers, by the number of the version that answered."""

    champion: ServedVersion
    candidates: Mapping[int, tuple[Candidate, ...]]


def shadow_plan(route: Route) -> ShadowPlan | None:
    """The plan for a model, or None when there is nobody to compare."""
    model = route.model
    numbers = [number for number in route.shares if model.version(number)]
    if model.rollout and model.rollout.active:
        numbers.append(model.rollout.version)
    champion, shadow = (_served(model, model.aliases.get(alias)) for alias in (CHAMPION, SHADOW))
    if champion is None:
        return None
    mirrored = [Candidate(shadow, sampled=False)] if shadow and shadow is not champion else []
    taken = {champion.version, *(one.version.version for one in mirrored)}
    rivals = [
        Candidate(version, sampled=True)
        for number in dict.fromkeys(numbers)
        if number not in taken and (version := model.version(number))
    ]
    if not mirrored and not rivals:
        return None
    answered_by = {rival.version.version: (*mirrored, rival) for rival in rivals}
    return ShadowPlan(champion, {champion.version: (*mirrored, *rivals), **answered_by})


def restated(request: PredictRequest, answered: ModelContract, other: ModelContract) -> PredictRequest:
    """A request that one contract took, with what it left to that contract spelled out for another.

    Raises:
        InvalidInput: the features were made by another front-end than the other contract's.
    """
    recording, options = request.recording, request.options
    if recording.features is not None and _frontends_differ(answered, other):
        raise InvalidInput("made by another front-end", field="features")
    rate = options.sample_rate_hz or answered.sample_rate_hz
    ids = options.receiver_ids
    if ids is None and other.receiver_ids and answered.receiver_ids != other.receiver_ids:
        held = recording.iq if recording.iq is not None else recording.features
        named = held is not None and held.ndim > 1 and len(held) == len(answered.receiver_ids)
        ids = answered.receiver_ids if named else None
    plain = Options(
        sample_rate_hz=None if other.sample_rate_hz is None else rate,
        receiver_ids=ids,
        cache_enabled=options.cache_enabled,
    )
    return msgspec.structs.replace(request, options=plain)


def _frontends_differ(one: ModelContract, other: ModelContract) -> bool:
    both_mel = isinstance(one.input, MelInput) and isinstance(other.input, MelInput)
    return both_mel and one.input.frontend != other.input.frontend  # type: ignore[union-attr]


def _served(model: ServedModel, number: int | None) -> ServedVersion | None:
    return None if number is None else model.version(number)
