"""A histogram that merges: log-spaced buckets, so that every quantile is right to 2 %, whoever counted what.

Source: C. Masson, J. E. Rim and H. K. Lee, "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with
Relative-Error Guarantees", PVLDB 12(12), 2019. The range is bounded, and with it the number of buckets.
"""

import math
from collections.abc import Iterable
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

ACCURACY = 0.02
"""Largest relative error of a quantile."""

GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
LEAST, MOST = 1e-6, 1e9
"""Smaller values count as 0, larger ones as the largest."""

_PER_E = 1 / math.log(GROWTH)
FIRST, LAST = math.ceil(math.log(LEAST) * _PER_E), math.ceil(math.log(MOST) * _PER_E)

Bucket = Annotated[int, Meta(ge=FIRST, le=LAST)]
"""Bucket i holds the values in (GROWTH**(i - 1), GROWTH**i]."""

Count = Annotated[int, Meta(ge=0)]


class Histogram(msgspec.Struct, omit_defaults=True):
    """Counts of values from 0 up, by bucket. `total` is the sum of the values."""

    counts: dict[Bucket, Count] = {}
    zeros: Count = 0
    total: float = 0.0

    def add(self, value: float) -> None:
        """Count one value; finite."""
        if value <= LEAST:
            self.zeros += 1
            return
        value = min(value, MOST)
        bucket = math.ceil(math.log(value) * _PER_E)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.total += value

    def add_all(self, values: NDArray[np.float64]) -> None:
        """Count many values; finite."""
        counted = np.minimum(values[values > LEAST], MOST)
        self.zeros += len(values) - len(counted)
        self.total += float(counted.sum())
        buckets, counts = np.unique(np.ceil(np.log(counted) * _PER_E), return_counts=True)
        for bucket, count in zip(buckets.tolist(), counts.tolist(), strict=True):
            self.counts[int(bucket)] = self.counts.get(int(bucket), 0) + count

    @property
    def count(self) -> int:
        """How many values."""
        return self.zeros + sum(self.counts.values())

    @property
    def mean(self) -> float | None:
        """Their mean, or None of none."""
        count = self.count
        return self.total / count if count else None

    def quantile(self, q: float) -> float | None:
        """The value of rank floor(q·(count - 1)) of the sorted values, to `ACCURACY`; None of none.

        Args:
            q: in [0, 1]; 0.5 is the median.
        """
        count = self.count
        if count == 0:
            return None
        rank, passed = math.floor(q * (count - 1)), self.zeros
        if rank < passed:
            return 0.0
        for bucket in sorted(self.counts):
            passed += self.counts[bucket]
            if rank < passed:
                break
        return 2 * GROWTH**bucket / (GROWTH + 1)


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """The histogram of all their values."""
    whole = Histogram()
    for one in histograms:
        whole.zeros += one.zeros
        whole.total += one.total
        for bucket, count in one.counts.items():
            whole.counts[bucket] = whole.counts.get(bucket, 0) + count
    return whole
