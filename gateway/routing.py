"""Which version answers: a pin, a session's place, or chance by weight. Pure.

Sessions are placed by weighted rendezvous hashing: each version draws -ln(u)/weight from a hash of
(salt, model, session, version), and the smallest draw wins. A version's share is then its weight's share,
and a weight change moves only the sessions that must move.

Source: C. Schindelhauer and G. Schomaker, "Weighted Distributed Hash Tables", SPAA 2005 (logarithmic method).
"""

import hashlib
import math
from dataclasses import dataclass

from contract.catalog import Catalog, ServedModel, ServedVersion
from gateway.errors import NotFound, Unavailable

CHAMPION = "champion"
SHADOW = "shadow"

Pin = int | str
"""A version number, or an alias."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The version that answers."""

    model: ServedModel
    version: ServedVersion
    pinned: bool


def find_model(catalog: Catalog | None, name: str | None, default: str | None) -> ServedModel:
    """The named model, or the default one: the configured name, the catalogue's, the only one there is.

    Raises:
        Unavailable: no catalogue yet, or it does not have the default model yet.
        NotFound: the catalogue does not have the named model.
    """
    if catalog is None:
        raise Unavailable("no catalogue yet: it is not known which models are served")
    if name is not None:
        if (model := catalog.models.get(name)) is None:
            raise NotFound(f'no model "{name}"; served: {_listed(catalog.models)}')
        return model
    wanted = default_name(catalog, default)
    if wanted is None:
        raise Unavailable(f"no default model is configured; served: {_listed(catalog.models)}")
    if (model := catalog.models.get(wanted)) is None:
        raise Unavailable(f'the default model "{wanted}" is not served yet')
    return model


def default_name(catalog: Catalog, configured: str | None) -> str | None:
    """The default model's name, whether it is served or not; None when nothing settles it."""
    only = next(iter(catalog.models)) if len(catalog.models) == 1 else None
    return configured or catalog.default_model or only


def pick(model: ServedModel, *, pin: Pin | None, session_id: str | None, draw: float, now: float) -> Choice:
    """The version that answers.

    Args:
        pin: answers whatever the weights say.
        session_id: stays with its version as long as the weights allow.
        draw: uniform in [0, 1), decides when there is neither pin nor session.
        now: Unix seconds, for the policy's expiry.

    Raises:
        NotFound: no such version or alias, or nothing says who takes the traffic.
    """
    if pin is not None:
        return Choice(model, pinned(model, pin), pinned=True)
    weights = shares(model, now)
    if not weights:
        raise NotFound(
            f'model "{model.name}" has no alias "{CHAMPION}" and no weights; pin one of {_versions(model)}'
        )
    if len(weights) == 1:
        number = next(iter(weights))
    elif session_id is None:
        number = _by_draw(weights, draw)
    else:
        salt = model.routing.salt if model.routing else ""
        number = _by_session(weights, f"{salt}\0{model.name}\0{session_id}")
    return Choice(model, pinned(model, number), pinned=False)


def pinned(model: ServedModel, pin: Pin) -> ServedVersion:
    """The version that a number or an alias names.

    Raises:
        NotFound: no such version or alias.
    """
    number = model.aliases.get(pin) if isinstance(pin, str) else pin
    if number is None:
        raise NotFound(f'model "{model.name}" has no alias "{pin}"; aliases: {_listed(model.aliases)}')
    if (version := model.version(number)) is None:
        raise NotFound(f'model "{model.name}" has no version {number}; served: {_versions(model)}')
    return version


def shares(model: ServedModel, now: float) -> dict[int, float]:
    """Each version's share of what is not pinned, adding up to 1; empty when nobody is to answer.

    Without a policy, after it expires, or when none of its versions is served, the champion takes all.
    """
    weights: dict[int, float] = {}
    policy = model.routing.in_force(now) if model.routing else None
    if policy is not None:
        for name, weight in policy.weights.items():
            number = int(name) if name.isdecimal() else model.aliases.get(name)
            if weight > 0 and name != SHADOW and number is not None and model.version(number):
                weights[number] = weights.get(number, 0.0) + weight
    if not weights:
        champion = model.aliases.get(CHAMPION)
        return {champion: 1.0} if champion is not None and model.version(champion) else {}
    _, exponent = math.frexp(max(weights.values()))  # a power of two scales without rounding
    scaled = {number: math.ldexp(weight, -exponent) for number, weight in weights.items()}
    total = sum(scaled.values())
    return {number: weight / total for number, weight in scaled.items()}


def _by_draw(weights: dict[int, float], draw: float) -> int:
    reached = 0.0
    for number, weight in weights.items():
        reached += weight
        if draw < reached:
            return number
    return number


def _by_session(weights: dict[int, float], session: str) -> int:
    return min(weights, key=lambda number: -math.log(_uniform(f"{session}\0{number}")) / weights[number])


def _uniform(text: str) -> float:
    """In (0, 1), the same for the same text on every machine."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return ((int.from_bytes(digest, "little") >> 11) + 0.5) / 2**53


def _listed(names: dict[str, ServedModel] | dict[str, int]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names)) or "none"


def _versions(model: ServedModel) -> str:
    return ", ".join(str(version.version) for version in model.versions) or "none"
