"""What this process knows of versions on their way, besides what it can observe: lost with the process and
found again by the next. Times are of the monotonic clock: to set the other one must not hold anything up."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from contract.catalog import Catalog
from sync.plan import Key
from sync.repository import Live
from sync.staging import Staged

FIRST_REST_S = 2.0
LONGEST_REST_S = 30.0

K = TypeVar("K", bound=Hashable)


class Since(dict[K, float]):
    """Since when each of some conditions has held without a break."""

    def update_to(self, holding: Iterable[K], now: float) -> None:
        """Note which hold now."""
        current = set(holding)
        for gone in [one for one in self if one not in current]:
            del self[gone]
        for one in current:
            self.setdefault(one, now)

    def longer_than(self, seconds: float, now: float) -> frozenset[K]:
        """Those that have held for at least `seconds`."""
        return frozenset(one for one, since in self.items() if now - since >= seconds)


@dataclass(frozen=True, slots=True)
class Rest:
    """A version that failed through no fault of its own: why, how often, and when to try again."""

    reason: str
    attempts: int
    until: float


@dataclass(frozen=True, slots=True)
class Proof:
    """With which files, and up to which batch size, a version answered as it should."""

    digest: str
    max_batch_size: int


@dataclass(slots=True)
class Progress:
    """Versions on their way, and since when what.

    Attributes:
        staged: ready in staging.
        equal: origin of re-registered versions whose files are the live ones.
        proven: versions proved by this process.
        trusted: versions that an earlier process, or an earlier life of Triton, proved.
        unready: versions that were proved and are not ready.
        vanished: model and alias, where the catalogue has one that the registry does not.
        lowered: models whose batch size in the catalogue is not above the one their settings want.
        falls: how often in a row a Triton stopped answering over a version, or over a model's settings.
    """

    staged: dict[Key, Staged] = field(default_factory=dict)
    equal: dict[Key, str] = field(default_factory=dict)
    proven: dict[Key, Proof] = field(default_factory=dict)
    trusted: dict[Key, Proof] = field(default_factory=dict)
    resting: dict[Key, Rest] = field(default_factory=dict)
    idle: Since[Key] = field(default_factory=Since)
    unready: Since[Key] = field(default_factory=Since)
    vanished: Since[tuple[str, str]] = field(default_factory=Since)
    lowered: Since[str] = field(default_factory=Since)
    falls: dict[Key, int] = field(default_factory=dict)

    def trust(self, catalog: Catalog | None) -> None:
        """Versions in the last catalogue were proved before it was written."""
        if catalog is not None:
            self.trusted = {
                (model.name, one.version): Proof(one.digest, one.max_batch_size)
                for model in catalog.models.values()
                for one in model.versions
            }

    def proved(self, live: Live) -> dict[Key, int]:
        """Live versions whose files were proved at any time: the largest batch each was proved with."""
        proofs = self.trusted | self.proven
        return {
            key: proofs[key].max_batch_size
            for key, digest in _digests(live).items()
            if key in proofs and proofs[key].digest == digest
        }

    def proved_here(self, live: Live) -> frozenset[Key]:
        """Live versions that this process has proved as they are configured now."""
        return frozenset(
            key
            for key, digest in _digests(live).items()
            if self.proven.get(key) == Proof(digest, live.models[key[0]].config.settings.max_batch_size)
        )

    def rest(self, key: Key, reason: str, now: float) -> None:
        """Let a version rest, each time twice as long."""
        attempts = self.resting[key].attempts + 1 if key in self.resting else 1
        pause = min(LONGEST_REST_S, FIRST_REST_S * 2 ** (attempts - 1))
        self.resting[key] = Rest(reason, attempts, now + pause)

    def fell(self, key: Key) -> int:
        """Note that a Triton fell over it; how often in a row."""
        self.falls[key] = self.falls.get(key, 0) + 1
        return self.falls[key]

    def still_resting(self, now: float) -> frozenset[Key]:
        """Versions whose next try is not due yet."""
        return frozenset(key for key, rest in self.resting.items() if rest.until > now)


def _digests(live: Live) -> dict[Key, str]:
    return {
        (model.name, number): record.digest
        for model in live.models.values()
        for number, record in model.versions.items()
        if record is not None
    }
