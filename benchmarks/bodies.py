"""The same rows in the form that each server reads."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.workloads.graph import INPUT, POSITIONS, ROW, UNCERTAINTIES

JSON, OCTETS = {"Content-Type": "application/json"}, {"Content-Type": "application/octet-stream"}
PATIENCE = {"X-Request-Timeout-Ms": "20000"}
RECORDING = (3, 17_920)


def tensor(number: int) -> NDArray[np.float32]:
    """A model's input, float32 (3, 128, 32)."""
    return np.random.default_rng(number).standard_normal(ROW).astype("<f4")


def recording(number: int, samples: int = RECORDING[1]) -> NDArray[np.complex64]:
    """IQ of three receivers, complex64 (3, samples)."""
    pairs = np.random.default_rng(number).standard_normal((RECORDING[0], samples, 2)) * 0.1
    return pairs.astype("<f4").view("<c8")[..., 0]


@dataclass(frozen=True, slots=True)
class Form:
    """How one row becomes a body; `draw` makes the `number`-th row."""

    name: str
    encode: Callable[[NDArray[np.generic]], bytes]
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    draw: Callable[[int], NDArray[np.generic]] = tensor

    def patient(self) -> "Form":
        """The same for the gateway, with as much time for a request as wrk and the peers give it."""
        return replace(self, name=f"{self.name}-patient", headers={**self.headers, **PATIENCE})

    def bodies(self, count: int) -> list[bytes]:
        """Bodies of different rows, the same in every run."""
        return [self.encode(self.draw(number)) for number in range(count)]


def triton_header(rows: int) -> bytes:
    """The JSON in front of the numbers in Triton's binary form."""
    shape = [rows, *ROW]
    binary = {"binary_data_size": 4 * int(np.prod(shape))}
    outputs = [{"name": name, "parameters": {"binary_data": True}} for name in (POSITIONS, UNCERTAINTIES)]
    document = {"inputs": [{"name": INPUT, "shape": shape, "datatype": "FP32", "parameters": binary}]}
    return json.dumps({**document, "outputs": outputs}).encode()


def _listed(row: NDArray[np.generic]) -> list[object]:
    """Numbers as a client would write them: seven digits."""
    listed: list[object] = [float(f"{value:.7g}") for value in row.ravel().tolist()]
    return listed


def _nested(row: NDArray[np.generic]) -> object:
    return np.array(_listed(row)).reshape(1, *row.shape).tolist()


def _v2(row: NDArray[np.generic]) -> bytes:
    described = {"name": INPUT, "shape": [1, *row.shape], "datatype": "FP32", "data": _listed(row)}
    return json.dumps({"inputs": [described]}).encode()


TENSOR = Form("tensor", lambda row: row.tobytes(), OCTETS)
TRITON = Form(
    "triton",
    lambda row: triton_header(1) + row.tobytes(),
    {**OCTETS, "Inference-Header-Content-Length": str(len(triton_header(1)))},
)
HEX = Form("hex", lambda row: json.dumps({"x": row.tobytes().hex()}).encode())
LIST = Form("list", lambda row: json.dumps({"x": _nested(row)}).encode())
V2 = Form("v2", _v2)
MLFLOW = Form("mlflow", lambda row: json.dumps({"inputs": _nested(row)}).encode())
IQ = Form("iq", lambda row: row.tobytes(), OCTETS, recording)
