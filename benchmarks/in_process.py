"""onnxruntime alone in a process: `python -m benchmarks.in_process MODEL SECONDS` prints its best as JSON.

Every batch size with all cores in one session, shortly; then the fastest for the rest of the time.
"""

import os
import sys
import time

import msgspec
import numpy as np
import onnxruntime

from benchmarks.bodies import tensor
from benchmarks.wrk import Measured

BATCHES = (1, 4, 8, 16, 32, 64)


def main() -> None:
    """Measure and print."""
    path, seconds = sys.argv[1], float(sys.argv[2])
    session = load(path)
    short = seconds / (2 * len(BATCHES))
    best = max(BATCHES, key=lambda size: run(session, size, short).rate)
    sys.stdout.write(msgspec.json.encode(run(session, best, seconds)).decode())


def load(path: str) -> "onnxruntime.InferenceSession":
    """A session with a thread for every core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def latency_ms(path: str, rows: int, seconds: float) -> float:
    """Milliseconds for that many rows, with the batch size that is fastest: 16, 32, 50 or all at once."""
    session = load(path)
    sizes = [size for size in (16, 32, 50) if size < rows] + [rows]
    return min(rows / run(session, size, seconds / len(sizes)).rate * 1e3 for size in sizes)


def run(session: "onnxruntime.InferenceSession", size: int, seconds: float) -> Measured:
    """Calls with that many rows, one after the other; latencies are of calls."""
    feed = {session.get_inputs()[0].name: np.stack([tensor(number) for number in range(size)])}
    session.run(None, feed)
    took: list[float] = []
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        begun = time.perf_counter()
        session.run(None, feed)
        took.append((time.perf_counter() - begun) * 1e3)
    p50, p95, p99 = np.percentile(took, (50, 95, 99)).tolist()
    return Measured(len(took) * size, time.perf_counter() - start, 0, p50, p95, p99)


if __name__ == "__main__":
    main()
