"""What one pass sees, and what follows from it (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass

from contract.catalog import Catalog, ServedModel
from sync.desired import Desired, RegisteredModel
from sync.plan import Key
from sync.repository import Live
from sync.triton import States


@dataclass(frozen=True, slots=True)
class Observation:
    """The registry, the repository and every Triton at one time (None: it does not answer).

    `fresh`: the registry answered this time; otherwise `registered` is what it said last.
    """

    now: float
    registered: tuple[RegisteredModel, ...]
    fresh: bool
    desired: Desired
    live: Live
    states: Mapping[str, States | None]
    problems: tuple[str, ...] = ()


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


def unready_keys(served: frozenset[Key], states: Mapping[str, States | None]) -> frozenset[Key]:
    """Served versions that no Triton has ready, of those that answer."""
    answering = [one for one in states.values() if one is not None]
    return frozenset(
        key for key in served if answering and not any(one[key].ready for one in answering if key in one)
    )


def vanished_aliases(last: Catalog | None, desired: Desired) -> frozenset[tuple[str, str]]:
    """Aliases in the catalogue that their model does not have in the registry any more."""
    return frozenset(
        (name, alias)
        for name, model in served_models(last).items()
        if name in desired
        for alias in model.aliases
        if alias not in desired[name].aliases
    )


def moved_aliases(
    before: Catalog | None, after: Catalog | None
) -> tuple[tuple[str, str, int | None, int | None], ...]:
    """Model, alias, where it led, where it leads: for each that differs between two catalogues."""
    moves = []
    for name in sorted({*served_models(before), *served_models(after)}):
        old, new = _aliases(before, name), _aliases(after, name)
        moves += [(name, alias, old.get(alias), new.get(alias)) for alias in sorted({*old, *new})
                  if old.get(alias) != new.get(alias)]  # fmt: skip
    return tuple(moves)


def _aliases(catalog: Catalog | None, name: str) -> Mapping[str, int]:
    model = served_models(catalog).get(name)
    return model.aliases if model else {}
