"""What one pass sees, and what follows from it (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contract.catalog import Catalog, RoutePolicy, ServedModel
from sync.desired import Desired, RegisteredModel
from sync.plan import MODEL_ITSELF, Key
from sync.quarantine import Refusal
from sync.repository import Live
from sync.triton import States


@dataclass(frozen=True, slots=True)
class Observation:
    """The registry, the repository and every Triton at one time (None: it does not answer).

    `fresh`: the registry answered this time; otherwise `registered` is what it said last. `now` is Unix
    time, for what is told and kept; `moment` is of a clock that nobody sets, for how long something has held.
    """

    now: float
    registered: tuple[RegisteredModel, ...]
    fresh: bool
    desired: Desired
    live: Live
    states: Mapping[str, States | None]
    problems: tuple[str, ...] = ()
    moment: float = 0.0


@dataclass(frozen=True, slots=True)
class Move:
    """An alias that leads to another version than before; None: nowhere."""

    model: str
    alias: str
    before: int | None
    after: int | None


def served_models(catalog: Catalog | None) -> Mapping[str, ServedModel]:
    """The catalogue's models."""
    return catalog.models if catalog else {}


def served_keys(catalog: Catalog | None) -> frozenset[Key]:
    """The catalogue's versions."""
    return frozenset(
        (name, one.version) for name, model in served_models(catalog).items() for one in model.versions
    )


def standing_keys(live: Live) -> frozenset[Key]:
    """Every version whose folder stands in the repository."""
    return frozenset((model.name, number) for model in live.models.values() for number in model.versions)


def loaded_keys(states: Mapping[str, States | None]) -> frozenset[Key]:
    """Versions that some Triton has, or is loading or unloading."""
    return frozenset(
        key for each in states.values() if each is not None for key, one in each.items() if one.loaded
    )


def unready_keys(proven: frozenset[Key], states: Mapping[str, States | None]) -> frozenset[Key]:
    """Versions that were proved but that no Triton has ready now, of those that answer."""
    answering = [one for one in states.values() if one is not None]
    return frozenset(
        key for key in proven if answering and not any(one[key].ready for one in answering if key in one)
    )


def failed_keys(unready: frozenset[Key], states: Mapping[str, States | None]) -> frozenset[Key]:
    """Those that a Triton has tried to load and could not."""
    return frozenset(
        key for key in unready if any(one[key].failed for one in states.values() if one and key in one)
    )


def reason(key: Key, states: Mapping[str, States | None]) -> str:
    """What the Tritons say of a version that is not ready."""
    told = []
    for address, one in states.items():
        if one is not None:
            state = one.get(key)
            told.append(
                f"{address}: {state.state} {state.reason}".strip() if state else f"{address}: not there"
            )
    return "; ".join(told)


def vanished_aliases(
    last: Catalog | None, desired: Desired, registered: Iterable[RegisteredModel]
) -> frozenset[tuple[str, str]]:
    """Aliases in the catalogue that their model, which is still registered, does not have any more."""
    names = {model.name for model in registered}
    return frozenset(
        (name, alias)
        for name, model in served_models(last).items()
        if name in names
        for alias in model.aliases
        if name not in desired or alias not in desired[name].aliases
    )


def wanted_refusals(refusals: Iterable[Refusal], desired: Desired) -> tuple[Refusal, ...]:
    """Refusals of what is wanted now; of the others, MLflow's tags and the journal still tell."""
    return tuple(
        one
        for one in refusals
        if one.model in desired
        and (one.version == MODEL_ITSELF or one.version in desired[one.model].versions)
    )


def lowered(last: Catalog | None, desired: Desired) -> frozenset[str]:
    """Models that no gateway sends larger batches to than their settings want."""
    return frozenset(
        name
        for name, model in served_models(last).items()
        if name in desired
        and (settings := desired[name].settings) is not None
        and all(one.max_batch_size <= settings.max_batch_size for one in model.versions)
    )


def moved_aliases(before: Mapping[str, ServedModel], after: Mapping[str, ServedModel]) -> tuple[Move, ...]:
    """Every alias that differs between the models of two catalogues."""
    moves = []
    for name in sorted({*before, *after}):
        old, new = _aliases(before.get(name)), _aliases(after.get(name))
        moves += [
            Move(name, alias, old.get(alias), new.get(alias))
            for alias in sorted({*old, *new})
            if old.get(alias) != new.get(alias)
        ]
    return tuple(moves)


def moved_weights(
    before: Mapping[str, ServedModel], after: Mapping[str, ServedModel]
) -> tuple[tuple[str, RoutePolicy | None, RoutePolicy | None], ...]:
    """Models whose policy differs between two catalogues, with both; a rollout is its own matter."""
    return tuple(
        (name, old.routing, new.routing)
        for name, new in sorted(after.items())
        if (old := before.get(name)) is not None
        and old.routing != new.routing
        and not any(one.rollout and one.rollout.active for one in (old, new))
    )


def _aliases(model: ServedModel | None) -> Mapping[str, int]:
    return model.aliases if model else {}
