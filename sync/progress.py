"""What this process knows of versions on their way, besides what it can observe: lost with the process and
found again by the next."""

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


@dataclass(slots=True)
class Progress:
    """Versions on their way, and since when what.

    Attributes:
        staged: ready in staging.
        equal: origin of re-registered versions whose files are the live ones.
        proven: digest of versions proved by this process.
        trusted: digest of versions that an earlier process, or an earlier life of Triton, proved.
    """

    staged: dict[Key, Staged] = field(default_factory=dict)
    equal: dict[Key, str] = field(default_factory=dict)
    proven: dict[Key, str] = field(default_factory=dict)
    trusted: dict[Key, str] = field(default_factory=dict)
    resting: dict[Key, Rest] = field(default_factory=dict)
    idle: Since[Key] = field(default_factory=Since)
    unready: Since[Key] = field(default_factory=Since)
    vanished: Since[tuple[str, str]] = field(default_factory=Since)

    def trust(self, catalog: Catalog | None) -> None:
        """Versions in the last catalogue were proved before it was written."""
        if catalog is not None:
            self.trusted = {
                (model.name, one.version): one.digest
                for model in catalog.models.values()
                for one in model.versions
            }

    def proven_keys(self, live: Live, *, trusting: bool) -> frozenset[Key]:
        """Live versions whose files are those that were proved."""
        digests = {
            (model.name, number): record.digest
            for model in live.models.values()
            for number, record in model.versions.items()
            if record is not None
        }
        known = self.trusted | self.proven if trusting else self.proven
        return frozenset(key for key, digest in digests.items() if known.get(key) == digest)

    def rest(self, key: Key, reason: str, now: float) -> None:
        """Let a version rest, each time twice as long."""
        attempts = self.resting[key].attempts + 1 if key in self.resting else 1
        pause = min(LONGEST_REST_S, FIRST_REST_S * 2 ** (attempts - 1))
        self.resting[key] = Rest(reason, attempts, now + pause)

    def still_resting(self, now: float) -> frozenset[Key]:
        """Versions whose next try is not due yet."""
        return frozenset(key for key, rest in self.resting.items() if rest.until > now)
