"""What this process has done with each model since it started: for the model information endpoints."""

from dataclasses import dataclass

from gateway.errors import FixgateError
from gateway.prediction import Prediction


@dataclass(slots=True)
class ModelCount:
    """One model's counts. Times are milliseconds, `last_at` Unix seconds."""

    successful: int = 0
    failed: int = 0
    hits: int = 0
    looked_up: int = 0
    total_ms: float = 0.0
    last_at: float | None = None

    @property
    def average_ms(self) -> float | None:
        """Mean time of a prediction, or None before the first."""
        return self.total_ms / self.successful if self.successful else None

    @property
    def hit_rate(self) -> float | None:
        """Share of predictions from the cache among those that asked it, or None before the first."""
        return self.hits / self.looked_up if self.looked_up else None


class Counters:
    """Counts by model."""

    def __init__(self) -> None:
        self._models: dict[str, ModelCount] = {}

    def of(self, model: str) -> ModelCount:
        """The model's counts so far."""
        return self._models.get(model) or ModelCount()

    def answered(self, prediction: Prediction) -> None:
        """One prediction was made."""
        count = self._models.setdefault(prediction.model, ModelCount())
        count.successful += 1
        count.hits += prediction.cache == "hit"
        count.looked_up += prediction.cache != "bypass"
        count.total_ms += prediction.inference_time_ms
        count.last_at = prediction.at

    def failed(self, model: str, version: int, error: FixgateError) -> None:  # noqa: ARG002 the Tally's shape
        """One was not."""
        self._models.setdefault(model, ModelCount()).failed += 1
