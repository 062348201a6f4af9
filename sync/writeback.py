"""What sync writes to MLflow (pure): the difference between the tags there are and those there should be."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contract.catalog import ServedModel
from sync.desired import (
    CHAMPIONS_TAG,
    DIGEST_TAG,
    REASON_TAG,
    ROLLOUT_TAG,
    ROUTING_TAG,
    STATUS_TAG,
    Desired,
    RegisteredModel,
    WantedModel,
    dump_routing,
    with_champion,
)
from sync.plan import Key
from sync.rollout import outcome

READY, REJECTED, WAITING, RETIRED = "ready", "rejected", "waiting", "retired"
MAX_REASON = 1000
"""MLflow limits a version tag's length (5000 in MLflow 2)."""


@dataclass(frozen=True, slots=True)
class VersionTags:
    """Tags of one version to set, or to delete where the value is None."""

    model: str
    version: int
    tags: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class ModelTag:
    """A tag of a registered model to set, or to delete where the value is None."""

    model: str
    key: str
    value: str | None


def changes(
    registered: Iterable[RegisteredModel],
    desired: Desired,
    served: Mapping[str, ServedModel],
    rejected: Mapping[Key, str],
    waiting: Mapping[Key, str],
    *,
    now: float,
) -> tuple[VersionTags | ModelTag, ...]:
    """What to write, if anything; nothing when the registry says already what is."""
    found: list[VersionTags | ModelTag] = []
    for model in registered:
        current = served.get(model.name)
        for number, version in model.versions.items():
            wanted = model.name in desired and number in desired[model.name].versions
            digest = _digest(current, number)
            should = _status((model.name, number), digest, rejected, waiting, version.tags, wanted=wanted)
            if should is None:
                continue
            different = {key: value for key, value in should.items() if version.tags.get(key) != value}
            if different:
                found.append(VersionTags(model.name, number, different))
        if model.name in desired:
            found += _rolled_out(model, desired[model.name])
        champions = _champions(model, desired, current)
        if champions is not None:
            found.append(ModelTag(model.name, CHAMPIONS_TAG, champions))
        if model.name in desired:
            found += _expired(desired[model.name], now)
    return tuple(found)


def _rolled_out(model: RegisteredModel, wanted: WantedModel) -> list[VersionTags]:
    """On the version, what became of the newest rollout, if it was that version's."""
    rollout = wanted.rollout
    version = model.versions.get(rollout.version) if rollout is not None else None
    if rollout is None or rollout.active or version is None:
        return []
    told = outcome(rollout)[:MAX_REASON]
    return (
        []
        if version.tags.get(ROLLOUT_TAG) == told
        else [VersionTags(model.name, version.number, {ROLLOUT_TAG: told})]
    )


def _expired(wanted: WantedModel, now: float) -> list[ModelTag]:
    """The tag without a policy that has expired: with the one that it gave way to."""
    if wanted.routing is None or (left := wanted.routing.in_force(now)) is wanted.routing:
        return []
    return [ModelTag(wanted.name, ROUTING_TAG, dump_routing(left))]


def _status(
    key: Key,
    digest: str | None,
    rejected: Mapping[Key, str],
    waiting: Mapping[Key, str],
    tags: Mapping[str, str],
    *,
    wanted: bool,
) -> dict[str, str | None] | None:
    """The three tags as they should be; None leaves them as they are."""
    if key in rejected:
        return {STATUS_TAG: REJECTED, REASON_TAG: rejected[key][:MAX_REASON]}
    if digest is not None:
        return {STATUS_TAG: READY, DIGEST_TAG: digest, REASON_TAG: None}
    if key in waiting:
        return {STATUS_TAG: WAITING, REASON_TAG: waiting[key][:MAX_REASON]}
    if not wanted and tags.get(STATUS_TAG) in (READY, WAITING):
        return {STATUS_TAG: RETIRED, REASON_TAG: None}
    return None


def _digest(model: ServedModel | None, number: int) -> str | None:
    version = model.version(number) if model else None
    return version.digest if version else None


def _champions(model: RegisteredModel, desired: Desired, now: ServedModel | None) -> str | None:
    """The tag's new value once the registry's champion is the one that is served."""
    wanted = desired.get(model.name)
    if wanted is None or now is None:
        return None
    champion = wanted.aliases.get("champion")
    if champion is None or now.aliases.get("champion") != champion or wanted.champions[:1] == (champion,):
        return None
    return ",".join(map(str, with_champion(wanted.champions, champion)))
