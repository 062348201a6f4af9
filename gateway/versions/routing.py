"""Which version answers: a pin, a session's place, or chance by weight. Pure.

Sessions are placed by weighted rendezvous hashing: each version draws -ln(u)/weight from a hash of
(salt, model, session, version), and the smallest draw wins. A version's share is then its weight's share,
and a weight change moves only the sessions that must move.

Source: C. Schindelhauer and G. Schomaker, "Weighted Distributed Hash Tables", SPAA 2005 (logarithmic method).
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from contract.catalog import Catalog, ServedModel, ServedVersion
from gateway.errors import NotFound, Unavailable

CHAMPION = "champion"
SHADOW = "shadow"

Pin = int | str
"""A version number, or an alias."""

Available = Callable[[int], bool]
"""Whether a version of the model can answer now, as far as is known."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The version that answers. `fallback_from`: the number of another, whose turn it was."""

    model: ServedModel
    version: ServedVersion
    pinned: bool
    fallback_from: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """How a model's traffic is dealt out until `until`, Unix seconds: worked out once for many requests.

    shares: of what is not pinned, adding up to 1, by version; empty when nobody is to answer.
    stand_ins: the champion and its predecessor, as far as they are served: in this order they answer for a
        version that cannot.
    """

    model: ServedModel
    shares: dict[int, float]
    choices: dict[int, Choice]
    stand_ins: tuple[Choice, ...]
    until: float

    def holds(self, model: ServedModel, now: float) -> bool:
        """Whether this is still the route of that model."""
        return self.model is model and now < self.until


def route(model: ServedModel, now: float) -> Route:
    """The route of a model at `now`, Unix seconds."""
    dealt = shares(model, now)
    policy = model.routing.in_force(now) if model.routing else None
    ends = policy.expires_at if policy else None
    steady = dict.fromkeys(
        number
        for number in (model.aliases.get(CHAMPION), model.previous_champion)
        if number is not None and model.version(number)
    )
    return Route(
        model=model,
        shares=dealt,
        choices={number: Choice(model, pinned(model, number), pinned=False) for number in dealt},
        stand_ins=tuple(Choice(model, pinned(model, number), pinned=False) for number in steady),
        until=math.inf if ends is None else ends,
    )


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
    named = configured or catalog.default_model
    return named or (next(iter(catalog.models)) if len(catalog.models) == 1 else None)


def pick(route: Route, *, session_id: str | None, draw: float, available: Available) -> Choice:
    """The version that answers a request that pins none.

    One that is not available loses the request to the champion, then to the champion's predecessor. When none
    of them is available it keeps it: what is known may be out of date, and the backend has the last word.

    Args:
        session_id: stays with its version as long as the weights allow.
        draw: uniform in [0, 1), decides when there is no session.

    Raises:
        NotFound: nothing says who takes the traffic.
    """
    model, weights = route.model, route.shares
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
    choice = route.choices[number]
    return choice if available(number) else instead(route, choice, available) or choice


def instead(route: Route, choice: Choice, available: Available) -> Choice | None:
    """Who answers for a version that cannot: the first stand-in after it that is available, or nobody.

    Asked again with its answer, it never comes back to one it gave before.
    """
    if choice.pinned:
        return None
    numbers = [one.version.version for one in route.stand_ins]
    number, origin, first = choice.version.version, choice.fallback_from, 0
    if origin is None:
        origin = number
    else:
        first = numbers.index(number) + 1
    for one in route.stand_ins[first:]:
        if one.version.version != origin and available(one.version.version):
            return replace(one, fallback_from=origin)
    return None


def pick_pinned(model: ServedModel, pin: Pin, available: Available) -> Choice:
    """The pinned version, whatever the weights say.

    Raises:
        NotFound: no such version or alias.
        Unavailable: it is not available; nobody answers in its place.
    """
    version = pinned(model, pin)
    if not available(version.version):
        raise Unavailable(
            f'model "{model.name}" version {version.version} is not available, and the request pins it',
            version_away=True,
        )
    return Choice(model, version, pinned=True)


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
