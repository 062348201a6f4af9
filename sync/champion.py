"""Move the alias champion in the registry, for `fixgate promote` and `fixgate rollback`."""

from dataclasses import dataclass

from sync import orders
from sync.desired import STATUS_TAG
from sync.errors import Refused
from sync.registry import Registry
from sync.writeback import REJECTED


@dataclass(frozen=True, slots=True)
class Moved:
    """The alias champion, before and after."""

    model: str
    before: int | None
    after: int


def move(uri: str, name: str, version: int | None) -> Moved:
    """Make a version the champion; None: the champion before the present one.

    Raises:
        Refused: no such model or version, sync has rejected it, or there was no other champion.
        RegistryUnavailable: MLflow does not answer.
    """
    registry = Registry(uri)
    model = next((one for one in registry.models() if one.name == name), None)
    if model is None:
        raise Refused("name", f"the registry has no model {name!r}")
    try:
        after = version if version is not None else orders.previous_champion(model)
    except orders.NotPossible as error:
        raise Refused("name", str(error)) from error
    if after not in model.versions:
        raise Refused("name", f"{name} has no version {after}; it has {sorted(model.versions)}")
    if model.versions[after].tags.get(STATUS_TAG) == REJECTED:
        raise Refused("name", f"sync has rejected {name} version {after}: see its tag fixgate.reason")
    registry.set_alias(name, "champion", after)
    return Moved(name, model.aliases.get("champion"), after)
