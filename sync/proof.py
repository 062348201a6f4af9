"""Prove a version through Triton: the rows that preflight recorded, at several batch sizes, must come back
as preflight got them. It catches a runtime that differs from ours, and it is the warm-up."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from sync.errors import Refused, TritonUnavailable
from sync.triton import Triton

TOLERANCE = 1e-4
UNAVAILABLE = "503"


def prove(triton: Triton, model: str, version: int, recorded: bytes, max_batch_size: int) -> None:
    """Ask one Triton.

    Args:
        recorded: the version's proof (`record.PROOF`).

    Raises:
        Refused: Triton fails a request (`triton`) or gives other values (`proof`).
        TritonUnavailable: no answer, or none now.
    """
    rows, answers = _load(recorded)
    count = len(next(iter(rows.values())))
    for size in dict.fromkeys((1, min(count, max_batch_size), max_batch_size)):
        order = np.arange(size) % count
        inputs = {name: array[order] for name, array in rows.items()}
        try:
            given = triton.infer(model, version, inputs, tuple(answers))
        except InferenceServerException as error:
            told = f"Triton at {triton.address} fails a batch of {size}: {error}"
            if error.status() == UNAVAILABLE:
                raise TritonUnavailable(told) from error
            raise Refused("triton", told) from error
        for name, wanted in answers.items():
            _compare(name, given[name], wanted[order], f"Triton at {triton.address}, batch of {size}")


def _load(recorded: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    with np.load(BytesIO(recorded), allow_pickle=False) as arrays:
        rows = {key.removeprefix("in:"): arrays[key] for key in arrays if key.startswith("in:")}
        answers = {key.removeprefix("out:"): arrays[key] for key in arrays if key.startswith("out:")}
    return rows, answers


def _compare(name: str, given: NDArray[Any] | None, wanted: NDArray[Any], where: str) -> None:
    if given is None or given.shape != wanted.shape:
        shape = None if given is None else given.shape
        raise Refused("proof", f"{where}: output {name!r} has shape {shape}, preflight got {wanted.shape}")
    if wanted.dtype.kind not in "fiu":
        if not np.array_equal(given, wanted):
            raise Refused("proof", f"{where}: output {name!r} differs from preflight's")
    elif not np.allclose(given, wanted, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        worst = float(np.nanmax(np.abs(given.astype(np.float64) - wanted)))
        raise Refused("proof", f"{where}: output {name!r} differs from preflight's by up to {worst:.3g}")
