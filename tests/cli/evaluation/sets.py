"""Labelled sets and answers whose calibration is known, for the tests of evaluation."""

import math

import numpy as np
from numpy.typing import NDArray

from cli.client import NPY
from cli.evaluation.labelled_set import LabelledSet
from cli.recording_file import Body
from gateway.domain import Covariance, Fix
from gateway.uncertainty.geodesy import destinations


def drawn(count: int, off_by: float = 1.0, seed: int = 5) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Answers (N, 5): latitude, longitude, σ north, σ east, ρ; truths (N, 2) drawn with `off_by` times σ."""
    rng = np.random.default_rng(seed)
    place = np.column_stack([rng.uniform(44, 46, count), rng.uniform(7, 9, count)])
    spread = np.column_stack([*rng.uniform(100, 3000, (2, count)), rng.uniform(-0.8, 0.8, count)])
    answers = np.column_stack([place, spread]).astype(np.float32)
    latitude, longitude, north, east, rho = answers.astype(float).T
    first, second = rng.standard_normal((2, count)) * off_by
    truths = destinations(
        latitude, longitude, east * (rho * first + np.sqrt(1 - rho**2) * second), north * first
    )
    return answers, np.column_stack(truths)


def as_fixes(answers: NDArray[np.float32]) -> list[Fix | str]:
    """The answers as the gateway would give them."""
    return [
        Fix(lat, lon, Covariance(east * east, north * north, rho * north * east))
        for lat, lon, north, east, rho in answers.astype(float).tolist()
    ]


def labelled(truths: NDArray[np.float64], per_session: int = 1) -> LabelledSet:
    """The truths as a set with two regions; its recordings are never sent."""
    names = tuple(str(index) for index in range(len(truths)))
    sessions = tuple(f"s{math.floor(index / per_session)}" for index in range(len(truths)))
    regions = tuple("south" if latitude < 45 else "north" for latitude in truths[:, 0].tolist())
    return LabelledSet(names, truths, sessions, regions, lambda _: Body(b"", NPY))
