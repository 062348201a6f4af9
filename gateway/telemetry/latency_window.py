"""The newest times of one kind of work, all of them, so that percentiles are true ones. Bounded memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SIZE = 4096
"""Times kept: 64 KB."""

RATE_S = 60.0
"""A rate is that of the last minute."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The times in a window: how many, since when, and how they spread, in milliseconds."""

    count: int
    seconds: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(slots=True, eq=False)
class LatencyWindow:
    """The last `SIZE` times; older ones are overwritten."""

    _at: NDArray[np.float64] = field(default_factory=lambda: np.zeros(SIZE))
    _ms: NDArray[np.float64] = field(default_factory=lambda: np.zeros(SIZE))
    _added: int = 0

    def add(self, at: NDArray[np.float64], ms: NDArray[np.float64]) -> None:
        """More of them: done at `at`, Unix seconds."""
        at, ms = at[-SIZE:], ms[-SIZE:]
        places = (self._added + np.arange(len(at))) % SIZE
        self._at[places], self._ms[places] = at, ms
        self._added += len(at)

    def dump(self) -> bytes:
        """All of it: float64 of when and how long, one after the other."""
        count = min(self._added, SIZE)
        return self._at[:count].astype("<f8").tobytes() + self._ms[:count].astype("<f8").tobytes()

    @classmethod
    def parse(cls, dumped: Sequence[bytes]) -> "LatencyWindow":
        """The newest of all windows together: what one window would hold that had seen everything."""
        at, ms = np.concatenate([np.frombuffer(one, "<f8").reshape(2, -1) for one in dumped], axis=1)
        newest = np.argsort(at, kind="stable")[-SIZE:]
        window, count = cls(), len(newest)
        window._at[:count], window._ms[:count] = at[newest], ms[newest]
        window._added = count
        return window

    def spread(self, now: float) -> Spread | None:
        """How the times in the window spread, or None while there are none."""
        count = min(self._added, SIZE)
        if count == 0:
            return None
        times = self._ms[:count]
        p50, p95, p99 = np.percentile(times, (50, 95, 99)).tolist()
        since = max(now - float(self._at[:count].min()), 0.0)
        return Spread(count, since, float(times.mean()), p50, p95, p99)

    def rate(self, now: float, uptime_s: float) -> float:
        """How many a second over the last minute, or over the uptime while that is less."""
        count = min(self._added, SIZE)
        ages = now - self._at[:count]
        lately = int(np.count_nonzero(ages <= RATE_S))
        span = min(RATE_S, uptime_s)
        if lately == SIZE:  # the window is shorter than a minute
            span = float(ages.max())
        return lately / max(span, 1e-3)
