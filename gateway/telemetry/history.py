"""The last fifteen minutes of predict requests in steps of ten seconds, so that those of all gateways add up.

Pure.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from contract.histogram import Histogram
from gateway.telemetry.groups import Array, Asked, Book, Predicted

STEP_S = 10
STEPS = 90

PREDICTS = ("/predict", "/predict/batch")
"""How the routes end whose times and errors are told."""


class Step(msgspec.Struct, omit_defaults=True):
    """Ten seconds. `at`: their beginning, Unix seconds. `queue`: the most rows that waited for Triton.

    errors: requests answered with 5xx; refused: with 4xx. times_ms: of every answer.
    hits: predictions from the cache, of `looked_up` that asked it.
    """

    at: int
    requests: int = 0
    errors: int = 0
    refused: int = 0
    hits: int = 0
    looked_up: int = 0
    queue: int = 0
    times_ms: Histogram = msgspec.field(default_factory=Histogram)

    def add(self, other: "Step") -> None:
        """Add another's numbers."""
        self.requests += other.requests
        self.errors += other.errors
        self.refused += other.refused
        self.hits += other.hits
        self.looked_up += other.looked_up
        self.queue += other.queue
        times, others = self.times_ms, other.times_ms
        times.zeros += others.zeros
        times.total += others.total
        for bucket, count in others.counts.items():
            times.counts[bucket] = times.counts.get(bucket, 0) + count


class History(Book):
    """One process's steps; the last one is under way."""

    def __init__(self) -> None:
        self._steps: deque[Step] = deque(maxlen=STEPS + 1)

    def asked(self, group: Asked) -> None:
        """Requests were answered; those for predictions count."""
        if not group.route.endswith(PREDICTS):
            return
        for step, here in self._steps_of(group.at):
            count = int(here.sum())
            step.requests += count
            step.errors += count if group.status >= 500 else 0
            step.refused += count if 400 <= group.status < 500 else 0
            step.times_ms.add_all(group.seconds[here] * 1e3)

    def predicted(self, group: Predicted) -> None:
        """Predictions were made; those that asked the cache count."""
        if group.cache == "bypass":
            return
        for step, here in self._steps_of(group.at):
            count = int(here.sum())
            step.looked_up += count
            step.hits += count if group.cache == "hit" else 0

    def queued(self, now: float, rows: int) -> None:
        """So many rows wait for Triton."""
        if rows:
            step = self._at(now)
            step.queue = max(step.queue, rows)

    def steps(self, now: float) -> list[Step]:
        """Those of the last fifteen minutes in which something happened, oldest first."""
        return [step for step in self._steps if step.at > now - STEPS * STEP_S]

    def _steps_of(self, at: Array) -> Iterator[tuple[Step, NDArray[np.bool_]]]:
        """The steps that these moments lie in, each with which of them."""
        starts = np.floor_divide(at, STEP_S)
        for start in np.unique(starts).tolist():
            yield self._at(start * STEP_S), starts == start

    def _at(self, now: float) -> Step:
        at, steps = int(now // STEP_S) * STEP_S, self._steps
        while steps and steps[-1].at > at + STEP_S:  # the clock was set back
            steps.pop()
        place = len(steps)
        while place and steps[place - 1].at > at:  # entered late
            place -= 1
        if place and steps[place - 1].at == at:
            return steps[place - 1]
        if len(steps) == steps.maxlen:
            steps.popleft()
            place = max(0, place - 1)
        steps.insert(place, Step(at))
        return steps[place]


def merged(steps: Iterable[Step]) -> list[Step]:
    """Steps that began together as one each, oldest first."""
    sums: dict[int, Step] = {}
    for step in steps:
        sums.setdefault(step.at, Step(step.at)).add(step)
    return [sums[at] for at in sorted(sums)]


def whole(steps: Iterable[Step]) -> Step:
    """All of them as one; `queue` is the largest."""
    everything, most = Step(0), 0
    for step in steps:
        everything.add(step)
        most = max(most, step.queue)
    everything.queue = most
    return everything
