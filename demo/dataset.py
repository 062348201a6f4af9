"""Many recordings at once: simulated and turned into features on every core, and kept only as features."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from demo.contracts import FRONTEND
from demo.scene import Scene, simulate
from gateway.recordings.frontend import mel_frontend

Float64 = NDArray[np.float64]
Features = NDArray[np.float32]
Reduced = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Seeds:
    """One series of recordings each. Set before any was drawn; 2 was used up on choosing the network."""

    training: int = 1
    calibration: int = 3
    test: int = 4
    harder: int = 5
    samples: int = 6


SEEDS = Seeds()


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Recordings reduced: positions (N, 2) degrees, levels_dbfs (N, 3), reduced (N, ...) as asked for."""

    positions: Float64
    levels_dbfs: Float64
    reduced: Reduced


def features(iq: NDArray[np.complex64]) -> Features:
    """The model's input for one recording, by the gateway's own front-end: (3, 128, 32)."""
    return mel_frontend(FRONTEND)(iq)


def simulate_many(
    scene: Scene, seed: int, count: int, reduce: Callable[[Features], Reduced], *, chunk: int = 250
) -> Dataset:
    """Recordings 0 … count-1 of a series; `reduce` maps features (n, 3, 128, 32) to what is kept, (n, ...).

    Processes take `chunk` recordings at a time. How many cores there are makes no difference to the result.
    """
    spans = [range(start, min(start + chunk, count)) for start in range(0, count, chunk)]
    work = partial(_reduced, scene, seed, reduce)
    workers = min(len(spans), len(os.sched_getaffinity(0)))
    if workers == 1:
        parts = [work(span) for span in spans]
    else:
        # spawn: a forked child would inherit the parent's threads in an unknown state
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(work, spans))
    positions, levels, reduced = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Dataset(positions, levels, reduced)


def _reduced(
    scene: Scene, seed: int, reduce: Callable[[Features], Reduced], indices: range
) -> tuple[Float64, Float64, Reduced]:
    captures = [simulate(scene, seed, index) for index in indices]
    batch = np.stack([features(capture.iq) for capture in captures])
    positions = np.stack([capture.position for capture in captures])
    return positions, np.stack([capture.levels_dbfs for capture in captures]), reduce(batch)
