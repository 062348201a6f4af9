"""Calls to Triton, counted and timed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain import Float, Lane, RawOutputs
from gateway.errors import FixgateError
from gateway.locate import Backend
from gateway.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class CountedCalls:
    """A backend that tells the metrics of every call."""

    backend: Backend
    metrics: Metrics

    async def infer(self, lane: Lane, rows: Sequence[Float]) -> RawOutputs:
        """One call; raises what the backend raises."""
        began, outcome = time.perf_counter(), "cancelled"
        try:
            raw = await self.backend.infer(lane, rows)
            outcome = "ok"
        except FixgateError as error:
            outcome = type(error).__name__
            raise
        else:
            return raw
        finally:
            seconds = time.perf_counter() - began
            self.metrics.triton_call(lane.model, lane.version, len(rows), seconds, outcome)
