"""Counters and histograms of one thread, made for the request path: a dictionary, a bisection, no locks.

prometheus_client renders them; its own children would cost several microseconds of every request.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Labels = tuple[str, ...]
Keep = Callable[[dict[str, str]], bool]


class Counts(Collector):
    """A counter; `name` without `_total`. Without labels, it is there from the start."""

    kind: ClassVar[type[CounterMetricFamily | GaugeMetricFamily]] = CounterMetricFamily

    def __init__(self, name: str, about: str, labels: Labels, registry: CollectorRegistry) -> None:
        self.name, self._about, self._labels = name, about, labels
        self._values: dict[Labels, float] = {} if labels else {(): 0.0}
        registry.register(self)

    def add(self, labels: Labels = (), count: float = 1.0) -> None:
        """Count."""
        self._values[labels] = self._values.get(labels, 0.0) + count

    def items(self) -> Iterator[tuple[dict[str, str], float]]:
        """Every value with its labels."""
        for labels, value in self._values.items():
            yield dict(zip(self._labels, labels, strict=True)), value

    def total(self, **wanted: str) -> float:
        """The sum over all labels but those given."""
        return sum(value for labels, value in self.items() if wanted.items() <= labels.items())

    def forget(self, keep: Keep) -> None:
        """Drop what is not to be kept."""
        self._values = {
            labels: value
            for labels, value in self._values.items()
            if keep(dict(zip(self._labels, labels, strict=True)))
        }

    def collect(self) -> Iterable[Metric]:
        """As Prometheus scrapes it."""
        family = self.kind(self.name, self._about, labels=self._labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family


class Levels(Counts):
    """A gauge that is set."""

    kind = GaugeMetricFamily

    def set(self, value: float, labels: Labels) -> None:
        """From now on it is so much."""
        self._values[labels] = value


class Distribution(Collector):
    """A histogram; `bounds` are the upper bounds of its buckets, ascending, without infinity."""

    def __init__(
        self,
        name: str,
        about: str,
        labels: Labels,
        registry: CollectorRegistry,
        bounds: tuple[float, ...],
    ) -> None:
        self.name, self._about, self._labels = name, about, labels
        self.bounds = bounds
        self._cells: dict[Labels, list[float]] = {}
        registry.register(self)

    def observe(self, value: float, labels: Labels = ()) -> None:
        """Take in one value."""
        cell = self._cell(labels)
        cell[bisect_left(self.bounds, value)] += 1.0
        cell[-1] += value

    def observe_all(self, values: NDArray[np.float64], labels: Labels = ()) -> None:
        """Take in many values."""
        cell = self._cell(labels)
        buckets, counts = np.unique(np.searchsorted(self.bounds, values), return_counts=True)
        for bucket, count in zip(buckets.tolist(), counts.tolist(), strict=True):
            cell[bucket] += count
        cell[-1] += float(values.sum())

    def _cell(self, labels: Labels) -> list[float]:
        cell = self._cells.get(labels)
        if cell is None:
            cell = self._cells[labels] = [0.0] * (len(self.bounds) + 2)
        return cell

    def merged(self, keep: Keep) -> list[float]:
        """Counts by bucket (the last one is beyond all bounds) and then the sum, over the labels kept."""
        merged = [0.0] * (len(self.bounds) + 2)
        for labels, cell in self._cells.items():
            if keep(dict(zip(self._labels, labels, strict=True))):
                merged = [one + other for one, other in zip(merged, cell, strict=True)]
        return merged

    def forget(self, keep: Keep) -> None:
        """Drop what is not to be kept."""
        self._cells = {
            labels: cell
            for labels, cell in self._cells.items()
            if keep(dict(zip(self._labels, labels, strict=True)))
        }

    def collect(self) -> Iterable[Metric]:
        """As Prometheus scrapes it."""
        yield histogram(self.name, self._about, self._labels, self.bounds, self._cells)


def histogram(
    name: str, about: str, labels: Labels, bounds: tuple[float, ...], cells: dict[Labels, list[float]]
) -> HistogramMetricFamily:
    """A family of cells: counts by bucket, then the sum."""
    family = HistogramMetricFamily(name, about, labels=labels)
    names = [*map(str, bounds), "+Inf"]
    for values, cell in cells.items():
        buckets = list(zip(names, accumulate(cell[:-1]), strict=True))
        family.add_metric(values, buckets, cell[-1])
    return family


class Read(Collector):
    """Numbers that are read when they are scraped: one, or one for each of a table's labels."""

    def __init__(
        self,
        name: str,
        about: str,
        labels: Labels,
        registry: CollectorRegistry,
        read: Callable[[], Iterable[tuple[Labels, float]]],
        *,
        counter: bool = False,
    ) -> None:
        self.name, self._about, self._labels = name, about, labels
        self._read, self._counter = read, counter
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Its name, without reading: what is read may not be there yet."""
        yield self._family()

    def collect(self) -> Iterable[Metric]:
        """As Prometheus scrapes it."""
        family = self._family()
        for labels, value in self._read():
            family.add_metric(labels, float(value))
        yield family

    def _family(self) -> CounterMetricFamily | GaugeMetricFamily:
        kind = CounterMetricFamily if self._counter else GaugeMetricFamily
        return kind(self.name, self._about, labels=self._labels)
