"""Predictions and requests of one kind together, and what takes them in. Pure."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.prediction import CacheOutcome

Array = NDArray[np.float64]


class Predicted(NamedTuple):
    """Predictions of one version from one place: arrays over them.

    at: Unix seconds. ms: from the head of the request. semi_major_m: 1 σ.
    """

    model: str
    version: int
    cache: CacheOutcome
    at: Array
    ms: Array
    semi_major_m: Array


class Asked(NamedTuple):
    """HTTP requests with one route and outcome: arrays over them. `version` "" = none."""

    method: str
    route: str
    status: int
    model: str
    version: str
    outcome: str
    at: Array
    seconds: Array


class Book:
    """Keeps count of some of it; of what it does not care for, it is told in vain."""

    def predicted(self, group: Predicted) -> None:
        """Predictions were made."""

    def asked(self, group: Asked) -> None:
        """Requests were answered."""

    def spent(self, stage: str, seconds: Array) -> None:
        """Predict requests were in a stage for so long."""
