"""Does it grow? The trend of a part's use over time, each of its lives by itself. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.soak.stack import Usage

SETTLED_S = 180.0
"""A part that has just started fills its caches and pools; that is no leak."""
BLOCK_S = 30.0
"""Samples of one block count as one: neighbours are not independent."""
MB_PER_HOUR, SHARE_PER_HOUR = 20.0, 0.15


@dataclass(frozen=True, slots=True)
class Slope:
    """Per hour, with its 95 % interval; `mean` of the values behind it."""

    per_hour: float
    low: float
    high: float
    mean: float

    @property
    def leaks(self) -> bool:
        """Whether growth beyond what is borne is certain."""
        return self.low > max(MB_PER_HOUR, SHARE_PER_HOUR * self.mean)


def slope(
    times: Sequence[float], usages: Sequence[Usage], what: str, *, lately: bool = False
) -> Slope | None:
    """The common trend of all lives of a part (`leader`), each with its own level; None of too few blocks.

    Least squares on means of blocks, after each life's own mean is taken off. `lately`: of the second half of
    each life alone. What fills up, or takes one step, does not go on; a leak does.
    """
    blocks: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    born: dict[int, float] = {}
    for at, usage in zip(times, usages, strict=True):
        since = at - born.setdefault(usage.leader, at)
        if since >= SETTLED_S:
            blocks[usage.leader, int(since // BLOCK_S)].append((at / 3600, float(getattr(usage, what))))
    lives: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for (leader, _), points in blocks.items():
        lives[leader].append(tuple(np.mean(points, axis=0)))
    kept = [life[len(life) // 2 :] if lately else life for life in lives.values()]
    points = [np.array(life) for life in kept if len(life) > 1]
    if not points or (freedom := sum(len(life) - 1 for life in points) - 1) < 3:
        return None
    centred = np.concatenate([life - life.mean(axis=0) for life in points])
    hours, values = centred.T
    spread = float(hours @ hours)
    per_hour = float(hours @ values) / spread
    left = values - per_hour * hours
    half = float(stats.t.ppf(0.975, freedom)) * float(np.sqrt(left @ left / freedom / spread))
    mean = float(np.concatenate([life[:, 1] for life in points]).mean())
    return Slope(per_hour, per_hour - half, per_hour + half, mean)
