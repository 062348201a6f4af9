"""Repeated traffic."""

from collections import Counter

import numpy as np
import pytest

from benchmarks.zipf import best_hit_rate, sequence


def test_recordings_come_as_often_as_zipfs_law_says() -> None:
    drawn = sequence(100, 200_000, s=1.1, seed=3)
    counts = np.array(sorted(Counter(drawn.tolist()).values(), reverse=True))
    weights = 1 / np.arange(1, 101) ** 1.1
    np.testing.assert_allclose(counts / 200_000, weights / weights.sum(), rtol=0.25)
    assert set(drawn.tolist()) == set(range(100))


def test_two_sequences_ask_for_the_same_recordings_in_another_order() -> None:
    first, second = (sequence(1000, 50_000, s=1.1, seed=seed) for seed in (1, 2))
    assert Counter(first.tolist()).most_common(1)[0][0] == Counter(second.tolist()).most_common(1)[0][0]
    assert first.tolist() != second.tolist()


def test_a_cache_of_everything_hits_always() -> None:
    assert best_hit_rate(10, 10, s=1.1) == pytest.approx(1)
    assert best_hit_rate(10, 0, s=1.1) == 0
    assert best_hit_rate(4, 1, s=1.0) == pytest.approx(12 / 25)
