"""Run a module whose wall clock a test may set: `python -m tests.faults.clock FILE MODULE`.

FILE holds by how many seconds it is wrong. gRPC keeps the real one: it hands Unix times to a library that
reads the real clock, as both would be set together.
"""

import runpy
import sys
import time
from pathlib import Path
from types import SimpleNamespace


def set_by(file: Path) -> None:
    """Make `time.time` and `time.time_ns` of this process wrong by what the file says."""
    import grpc.aio._channel

    grpc.aio._channel.time = SimpleNamespace(time=time.time)
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + float(file.read_text())
    time.time_ns = lambda: right_ns() + int(float(file.read_text()) * 1e9)


if __name__ == "__main__":
    set_by(Path(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
