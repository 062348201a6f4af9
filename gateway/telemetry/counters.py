"""What this process has done with each model since it started: for the model information endpoints."""

from collections.abc import ItemsView
from dataclasses import dataclass, field

from gateway.errors import FixgateError
from gateway.telemetry.groups import Book, Predicted
from gateway.telemetry.latency_window import LatencyWindow

NUMBERS = (
    "successful", "failed", "hits", "looked_up", "total_ms", "requests", "errors", "under_way",
)  # fmt: skip
"""Fields of ModelCount that add up over processes."""


@dataclass(slots=True)
class ModelCount:
    """One model's counts. Times are milliseconds, `last_at` Unix seconds.

    successful, failed: recordings. requests, errors, under_way: HTTP requests; a batch is one.
    """

    successful: int = 0
    failed: int = 0
    hits: int = 0
    looked_up: int = 0
    total_ms: float = 0.0
    last_at: float | None = None
    requests: int = 0
    errors: int = 0
    under_way: int = 0
    latencies: LatencyWindow = field(default_factory=LatencyWindow)

    def __enter__(self) -> None:
        """A request begins; any number may be under way."""
        self.requests += 1
        self.under_way += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """It ends."""
        self.under_way -= 1
        if kind is not None and issubclass(kind, Exception):
            self.errors += 1

    @property
    def average_ms(self) -> float | None:
        """Mean time of a prediction, or None before the first."""
        return self.total_ms / self.successful if self.successful else None

    @property
    def hit_rate(self) -> float | None:
        """Share of predictions from the cache among those that asked it, or None before the first."""
        return self.hits / self.looked_up if self.looked_up else None

    @property
    def success_rate(self) -> float | None:
        """Share of recordings that got a prediction, or None before the first."""
        total = self.successful + self.failed
        return self.successful / total if total else None


class Counters(Book):
    """Counts by model."""

    def __init__(self) -> None:
        self._models: dict[str, ModelCount] = {}

    def of(self, model: str) -> ModelCount:
        """The model's counts so far."""
        return self._models.get(model) or ModelCount()

    def items(self) -> ItemsView[str, ModelCount]:
        """Every model's counts."""
        return self._models.items()

    def request(self, model: str) -> ModelCount:
        """To be entered around one request for predictions, whatever becomes of it."""
        return self._count(model)

    def predicted(self, group: Predicted) -> None:
        """Predictions were made."""
        count, many = self._count(group.model), len(group.at)
        count.successful += many
        if group.cache != "bypass":
            count.looked_up += many
            count.hits += many if group.cache == "hit" else 0
        count.total_ms += float(group.ms.sum())
        count.last_at = max(count.last_at or 0.0, float(group.at.max()))
        count.latencies.add(group.at, group.ms)

    def failed(self, model: str, version: int, error: FixgateError) -> None:  # noqa: ARG002 the Tally's shape
        """One was not."""
        self._count(model).failed += 1

    def _count(self, model: str) -> ModelCount:
        count = self._models.get(model)
        if count is None:
            count = self._models[model] = ModelCount()
        return count
