"""A closed loop of requests on one model: each client asks again when it has its answer."""

import statistics
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gevent import Timeout
from numpy.typing import NDArray
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

WARM_UP_S = 0.5


@dataclass(frozen=True, slots=True)
class Measured:
    """What a load came to; latencies in milliseconds."""

    rows_per_s: float
    p50_ms: float
    p95_ms: float
    failures: int


@dataclass(frozen=True, slots=True)
class Request:
    """What every client asks, again and again: one batch of a model at one Triton."""

    address: str
    model: str
    inputs: Mapping[str, NDArray[Any]]
    outputs: tuple[str, ...]


def measure(request: Request, clients: int, seconds: float) -> Measured:
    """Load a model for so long, after a short warm-up that is not counted."""
    begin = time.perf_counter() + WARM_UP_S
    workers = [_Client(request, begin, begin + seconds) for _ in range(clients)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    latencies = sorted(latency for one in workers for latency in one.latencies)
    failures = sum(one.failures for one in workers)
    if len(latencies) < 2:
        return Measured(0.0, float("inf"), float("inf"), failures)
    cuts = statistics.quantiles(latencies, n=20, method="inclusive")
    return Measured(len(latencies) / seconds, cuts[9] * 1000, cuts[18] * 1000, failures)


class _Client(threading.Thread):
    """One client, with one connection."""

    def __init__(self, request: Request, begin: float, end: float) -> None:
        super().__init__(daemon=True)
        self.latencies: list[float] = []
        self.failures = 0
        self._request = request
        self._begin = begin
        self._end = end

    def run(self) -> None:
        tensors = []
        for name, array in self._request.inputs.items():
            tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
            tensor.set_data_from_numpy(array)
            tensors.append(tensor)
        wanted = [InferRequestedOutput(name) for name in self._request.outputs]
        client = InferenceServerClient(self._request.address)
        try:
            while (started := time.perf_counter()) < self._end:
                try:
                    client.infer(self._request.model, tensors, outputs=wanted)
                except (InferenceServerException, OSError, Timeout):
                    self.failures += 1
                    continue
                if started >= self._begin:
                    self.latencies.append(time.perf_counter() - started)
        finally:
            client.close()
