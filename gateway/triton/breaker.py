"""The circuit breakers of one Triton: one for each version that is failing there. Pure."""

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from gateway.circuit import Circuit

FAILURES = 5
"""In a row, so that no single recording on which a model fails can take the version away from others."""

PAUSE_S = 0.25
LONGEST_PAUSE_S = 2.0

State = Literal["closed", "open"]


class Breaker(NamedTuple):
    """One version's breaker, as it stands."""

    model: str
    version: int
    state: State


class Breakers:
    """Breakers by version; a version that does not fail has none, and counts as closed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._circuits: dict[tuple[str, int], Circuit] = {}

    def closed(self, model: str, version: int) -> bool:
        """Whether calls may go there."""
        circuit = self._circuits.get((model, version))
        return circuit is None or not circuit.open

    def probe_due(self, model: str, version: int) -> bool:
        """Whether the caller is to find out if an open breaker can close; after each pause, one caller is."""
        circuit = self._circuits.get((model, version))
        return circuit is not None and circuit.open and circuit.allows(self._clock())

    def succeeded(self, model: str, version: int) -> None:
        """A call was answered: whatever failed before, it runs now."""
        if self._circuits:
            self._circuits.pop((model, version), None)

    def failed(self, model: str, version: int) -> bool:
        """A call failed, or was given up after a long time; whether that opened the breaker."""
        circuit = self._circuits.get((model, version))
        if circuit is None:
            circuit = Circuit(failures=FAILURES, pause_s=PAUSE_S, longest_s=LONGEST_PAUSE_S)
            self._circuits[model, version] = circuit
        before = circuit.open
        circuit.failed(self._clock())
        return circuit.open and not before

    def reset(self) -> None:
        """It is another process now: what the one before it did says nothing."""
        self._circuits.clear()

    def states(self) -> tuple[Breaker, ...]:
        """Every version that has failed since it last answered."""
        return tuple(
            Breaker(model, version, "open" if circuit.open else "closed")
            for (model, version), circuit in self._circuits.items()
        )
