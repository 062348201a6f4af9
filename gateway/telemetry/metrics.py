"""What Prometheus scrapes (docs/metrics.md lists it), on a registry of our own.

Called from the event loop's thread only. Labels are from the catalogue, the route table and our own errors,
never from clients.
"""

import platform
from collections.abc import Callable, Collection, Iterable
from importlib.metadata import version as version_of

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    ProcessCollector,
    disable_created_metrics,
)

from gateway.errors import DeadlineExceeded, FixgateError, Overloaded
from gateway.telemetry.groups import Array, Asked, Book, Predicted
from gateway.telemetry.metric_family import Counts, Distribution, Labels, Read

# Close together around the objective of 500 ms, so that its share is counted, not guessed.
SECONDS = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2,
    0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
METRES = (10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics(Book):
    """Every metric of this process."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.in_progress = 0
        self.gauge(
            "fixgate_http_requests_in_progress", "HTTP requests being answered.", lambda: self.in_progress
        )
        build = [((version_of("fixgate"), platform.python_version()), 1.0)]  # a millisecond to look up
        self.table("fixgate_build_info", "Always 1; what runs here.", ("version", "python"), lambda: build)
        self.requests = self._counts(
            "fixgate_http_requests", "HTTP requests answered.", "method", "route", "status"
        )
        self.durations = self._distribution(
            "fixgate_request_duration_seconds",
            "From the head of a request to its answer.",
            SECONDS,
            "route",
            "model",
            "version",
            "outcome",
        )
        self.stages = self._distribution(
            "fixgate_stage_duration_seconds", "Where the time of predict requests goes.", SECONDS, "stage"
        )
        self.predictions = self._counts(
            "fixgate_predictions",
            "Predictions, by where the fix came from.",
            "model",
            "version",
            "cache",
        )
        self.failures = self._counts(
            "fixgate_prediction_failures",
            "Recordings that got no prediction, by class of error.",
            "model",
            "version",
            "error",
        )
        self._fallbacks = self._counts(
            "fixgate_fallbacks",
            "Recordings that a version lost to its stand-in because it was not available.",
            "model",
            "version",
            "stand_in",
        )
        self._shed = self._counts(
            "fixgate_shed_requests", "Requests refused because they would have been answered too late."
        )
        self._late = self._counts(
            "fixgate_deadline_exceeded_requests", "Requests that ran out of time after all."
        )
        self._switches = self._counts("fixgate_switches", "Changes of the champion, as seen here.", "model")
        self._ellipses = self._distribution(
            "fixgate_ellipse_semi_major_metres",
            "Semi-major axis of the 1 sigma ellipse of predictions.",
            METRES,
            "model",
            "version",
        )
        self._call_rows = self._distribution(
            "fixgate_triton_call_rows", "Rows that shared a call to Triton.", ROWS, "model", "version"
        )
        self._call_seconds = self._distribution(
            "fixgate_triton_call_duration_seconds",
            "Calls to Triton, by what became of them.",
            SECONDS,
            "model",
            "version",
            "outcome",
        )
        self._by_version: tuple[Counts | Distribution, ...] = (
            self.durations, self.predictions, self.failures, self._fallbacks,
            self._ellipses, self._call_rows, self._call_seconds,
        )  # fmt: skip

    def gauge(self, name: str, about: str, value: Callable[[], float]) -> None:
        """A gauge that is read when it is scraped."""
        self.table(name, about, (), lambda: [((), value())])

    def count(self, name: str, about: str, value: Callable[[], float]) -> None:
        """A counter that is kept elsewhere; `name` without `_total`."""
        self.table(name, about, (), lambda: [((), value())], counter=True)

    def table(
        self,
        name: str,
        about: str,
        labels: Labels,
        read: Callable[[], Iterable[tuple[Labels, float]]],
        *,
        counter: bool = False,
    ) -> None:
        """Numbers by labels, read when they are scraped."""
        Read(name, about, labels, self.registry, read, counter=counter)

    def by_version(self, *families: Counts | Distribution) -> None:
        """Families kept elsewhere that tell of versions, for as long as those are served."""
        self._by_version += families

    def predicted(self, group: Predicted) -> None:
        """Predictions were made."""
        place = (group.model, str(group.version))
        self.predictions.add((*place, group.cache), len(group.at))
        self._ellipses.observe_all(group.semi_major_m, place)

    def asked(self, group: Asked) -> None:
        """HTTP requests were answered."""
        method = group.method if group.method in _METHODS else "other"
        self.requests.add((method, group.route, str(group.status)), len(group.at))
        labels = (group.route, group.model, group.version, group.outcome)
        self.durations.observe_all(group.seconds, labels)

    def spent(self, stage: str, seconds: Array) -> None:
        """Predict requests were in a stage for so long."""
        self.stages.observe_all(seconds, (stage,))

    def failed(self, model: str, version: int, error: FixgateError) -> None:
        """One was not."""
        self.failures.add((model, str(version), type(error).__name__))

    def fell_back(self, model: str, version: int, stand_in: int, count: int) -> None:
        """Recordings of a version went to another."""
        self._fallbacks.add((model, str(version), str(stand_in)), count)

    def refused(self, error: FixgateError) -> None:
        """A request ended with an error of ours."""
        if isinstance(error, Overloaded):
            self._shed.add()
        elif isinstance(error, DeadlineExceeded):
            self._late.add()

    def triton_call(self, model: str, version: int, rows: int, seconds: float, outcome: str) -> None:
        """One call to Triton ended; `outcome` is `ok`, `cancelled` or the class of its error."""
        place = (model, str(version))
        self._call_rows.observe(rows, place)
        self._call_seconds.observe(seconds, (*place, outcome))

    def switched(self, model: str) -> None:
        """A model has another champion."""
        self._switches.add((model,))

    @property
    def switched_total(self) -> float:
        """Changes of any champion."""
        return self._switches.total()

    def keep_only(self, served: Collection[tuple[str, str]]) -> None:
        """Drop what is told of versions and models no longer served: series must not grow for ever."""
        models = {"", *(model for model, _ in served)}

        def keep(labels: dict[str, str]) -> bool:
            model, version = labels["model"], labels["version"]
            return (model, version) in served if version else model in models

        for family in self._by_version:
            family.forget(keep)

    def _counts(self, name: str, about: str, *labels: str) -> Counts:
        return Counts(name, about, labels, self.registry)

    def _distribution(self, name: str, about: str, bounds: tuple[float, ...], *labels: str) -> Distribution:
        return Distribution(name, about, labels, self.registry, bounds)
