"""Repeated traffic: which of the recordings is asked for next (pure)."""

import numpy as np
from numpy.typing import NDArray


def sequence(recordings: int, length: int, *, s: float, seed: int) -> NDArray[np.int64]:
    """Numbers from 0, drawn with probability proportional to 1 / rank^s; ranks are shuffled."""
    rng = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, recordings + 1) ** s
    drawn = rng.choice(recordings, size=length, p=weights / weights.sum())
    names = np.random.default_rng(0).permutation(recordings)
    chosen: NDArray[np.int64] = names[drawn].astype(np.int64)
    return chosen


def best_hit_rate(recordings: int, kept: int, *, s: float) -> float:
    """What a cache that always keeps the `kept` most asked for would give."""
    weights = 1.0 / np.arange(1, recordings + 1) ** s
    return float(weights[:kept].sum() / weights.sum())
