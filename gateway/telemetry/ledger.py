"""What was answered, noted in one word on the request's path, and entered into the books many at a time.

Counting each answer where it is made costs several times as much as counting a hundred of them together.
Readers who must know of the last answer settle first.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from gateway.prediction import Prediction
from gateway.telemetry.groups import Asked, Book, Predicted
from gateway.telemetry.stopwatch import Stopwatch
from gateway.uncertainty.ellipse import scale_at

SETTLE_S = 0.2
MOST = 1024
"""Notes in hand, at most."""


class Ledger:
    """Notes for the books; called from the event loop's thread only."""

    def __init__(self, books: Sequence[Book]) -> None:
        self._books = books
        self._predictions: list[Prediction] = []
        self._requests: list[tuple[tuple[str, str, int, str, str, str], float, float]] = []
        self._stages: list[dict[str, float]] = []

    def prediction(self, prediction: Prediction) -> None:
        """One prediction was made."""
        self._predictions.append(prediction)

    def request(
        self, method: str, route: str, status: int, *, at: float, seconds: float, watch: Stopwatch
    ) -> None:
        """One HTTP request was answered at `at`, Unix seconds."""
        kind = (method, route, status, watch.model, watch.version, watch.outcome)
        self._requests.append((kind, at, seconds))
        if watch.told is not None:
            self._stages.append(watch.told)
        if len(self._requests) >= MOST or len(self._predictions) >= MOST:
            self.settle()

    def settle(self) -> None:
        """Enter all that is noted."""
        self._settle_predictions()
        self._settle_requests()
        self._settle_stages()

    async def run(self) -> None:
        """Settle now and then, for ever, and at the end."""
        try:
            while True:
                await asyncio.sleep(SETTLE_S)
                self.settle()
        finally:
            self.settle()

    def _settle_predictions(self) -> None:
        made, self._predictions = self._predictions, []
        groups = defaultdict(list)
        for one in made:
            semi_major_m = one.derived.ellipse.semi_major_m / scale_at(one.options.confidence_level)
            groups[one.model, one.version, one.cache].append((one.at, one.inference_time_ms, semi_major_m))
        for kind, rows in groups.items():
            group = Predicted(*kind, *np.array(rows).T)
            for book in self._books:
                book.predicted(group)

    def _settle_requests(self) -> None:
        noted, self._requests = self._requests, []
        groups = defaultdict(list)
        for kind, at, seconds in noted:
            groups[kind].append((at, seconds))
        for kind, rows in groups.items():
            group = Asked(*kind, *np.array(rows).T)
            for book in self._books:
                book.asked(group)

    def _settle_stages(self) -> None:
        noted, self._stages = self._stages, []
        ways: dict[tuple[str, ...], list[tuple[float, ...]]] = defaultdict(list)
        for stages in noted:
            ways[tuple(stages)].append(tuple(stages.values()))
        for names, rows in ways.items():
            for stage, ms in zip(names, np.array(rows).T, strict=True):
                for book in self._books:
                    book.spent(stage, ms / 1e3)
