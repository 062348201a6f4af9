"""onnxruntime alone in a process: `python -m benchmarks.in_process MODEL SECONDS` prints its best as JSON.

Every batch size, shortly, with all cores in one session and with a session for each core, side by side; then
the fastest of all for the rest of the time.
"""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import onnxruntime

from benchmarks.bodies import tensor
from benchmarks.wrk import Measured

BATCHES = (1, 4, 8, 16, 32, 64)


def main() -> None:
    """Measure and print."""
    path, seconds = sys.argv[1], float(sys.argv[2])
    cores = os.cpu_count() or 1
    splits = [[load(path, cores)], [load(path, 1) for _ in range(cores)]]
    ways = [(sessions, size) for sessions in splits for size in BATCHES]
    short = seconds / len(ways)
    sessions, size = max(ways, key=lambda way: run_all(*way, short).rate)
    sys.stdout.write(msgspec.json.encode(run_all(sessions, size, seconds)).decode())


def load(path: str, threads: int) -> "onnxruntime.InferenceSession":
    """A session with so many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def latency_ms(path: str, rows: int, seconds: float) -> float:
    """Milliseconds for that many rows, with the batch size that is fastest: 16, 32, 50 or all at once."""
    session = load(path, os.cpu_count() or 1)
    sizes = [size for size in (16, 32, 50) if size < rows] + [rows]
    return min(rows / run(session, size, seconds / len(sizes)).rate * 1e3 for size in sizes)


def run_all(sessions: "list[onnxruntime.InferenceSession]", size: int, seconds: float) -> Measured:
    """All of them at the same time; latencies are the slowest session's."""
    with ThreadPoolExecutor(len(sessions)) as threads:
        runs = list(threads.map(lambda session: run(session, size, seconds), sessions))
    slowest = max(runs, key=lambda one: one.p95_ms)
    requests = sum(one.requests for one in runs)
    return msgspec.structs.replace(slowest, requests=requests, seconds=max(one.seconds for one in runs))


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
