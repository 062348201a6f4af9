"""Move the alias champion in the registry, for `fixgate promote` and `fixgate rollback`."""

from dataclasses import dataclass

from sync import orders
from sync.desired import STATUS_TAG, RegisteredModel
from sync.errors import Refused
from sync.registry import Registry
from sync.writeback import REJECTED


@dataclass(frozen=True, slots=True)
class Moved:
    """The alias champion, before and after."""

    model: str
    before: int | None
    after: int


def promote(uri: str, name: str, version: int | None) -> Moved:
    """Make a version the champion; None: the candidate.

    Raises:
        Refused: no such model, version or candidate; it was rejected; its rollout failed; one is under way.
        RegistryUnavailable: MLflow does not answer.
    """
    registry = Registry(uri)
    model = _model(registry, name)
    try:
        after = version if version is not None else orders.candidate(model)
    except orders.NotPossible as error:
        raise Refused("name", str(error)) from error
    return _move(registry, model, after)


def roll_back(uri: str, name: str, version: int | None) -> Moved:
    """Make a version the champion; None: the champion before the present one.

    Raises:
        Refused: no such model or version; there was no other champion; or a rollout is under way.
        RegistryUnavailable: MLflow does not answer.
    """
    registry = Registry(uri)
    model = _model(registry, name)
    try:
        after = version if version is not None else orders.previous_champion(model)
    except orders.NotPossible as error:
        raise Refused("name", str(error)) from error
    return _move(registry, model, after)


def _model(registry: Registry, name: str) -> RegisteredModel:
    model = next((one for one in registry.models() if one.name == name), None)
    if model is None:
        raise Refused("name", f"the registry has no model {name!r}")
    return model


def _move(registry: Registry, model: RegisteredModel, after: int) -> Moved:
    name = model.name
    if after not in model.versions:
        raise Refused("name", f"{name} has no version {after}; it has {sorted(model.versions)}")
    if model.versions[after].tags.get(STATUS_TAG) == REJECTED:
        raise Refused("name", f"sync has rejected {name} version {after}: see its tag fixgate.reason")
    try:
        orders.check_free(model, after)
    except orders.NotPossible as error:
        raise Refused("name", str(error)) from error
    registry.set_alias(name, "champion", after)
    return Moved(name, model.aliases.get("champion"), after)
