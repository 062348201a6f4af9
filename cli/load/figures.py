"""What a run of requests comes to (pure)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: `begun` and `took` in seconds, the status (0: no answer)."""

    begun: float
    took: float
    status: int

    @property
    def ok(self) -> bool:
        """Answered with success."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Figures:
    """Latencies in milliseconds over all requests, `failures` among them by status (0: no answer)."""

    requests: int
    failures: dict[int, int]
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    slowest_ms: float

    @property
    def failed(self) -> int:
        """How many failed, whichever way."""
        return sum(self.failures.values())


def figures(samples: Sequence[Sample]) -> Figures:
    """The figures of a run.

    Raises:
        ValueError: there is not one sample.
    """
    if not samples:
        raise ValueError("no requests were made")
    took = np.array([sample.took for sample in samples]) * 1e3
    failures = Counter(sample.status for sample in samples if not sample.ok)
    p50, p95, p99 = (float(value) for value in np.percentile(took, (50, 95, 99), method="higher"))
    return Figures(
        requests=len(samples),
        failures=dict(failures),
        mean_ms=float(took.mean()),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        slowest_ms=float(took.max()),
    )
