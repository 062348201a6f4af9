"""Prove a version before it is published, in a child process with limits on memory and time."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

import msgspec

from contract.catalog import TensorSpec
from sync import jobs
from sync.errors import Fault, Refused, RepositoryUnavailable, Unavailable

GRACE_S = 5.0
LOOK_EVERY_S = 0.05
BASE_MEMORY = 4 << 30
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
"""The child sees no credentials: these variables only."""

FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)
"""No model ends its process so, but the kernel does when memory runs out."""

_one_at_a_time = threading.Lock()
"""Each trial may take as much memory as sync's container allows to all."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is to do; paths as text."""

    model: str
    result: str
    proof: str
    max_batch_size: int
    threads: int
    memory_bytes: int
    timeout_s: float
    version_tags: dict[str, str] = {}
    model_tags: dict[str, str] = {}
    metadata_contract: dict[str, Any] | None = None
    served: tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]] | None = None
    example: str | None = None
    expected: str | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the child found: a fault with its reason, or what the version is."""

    fault: str | None = None
    reason: str = ""
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    external: tuple[str, ...] = ()
    contract: dict[str, Any] = {}
    latency_ms: dict[str, float] = {}


def memory_limit(option_mb: int, model_bytes: int) -> int:
    """Bytes of address space: the option, or 4 GB and four times the model's files."""
    return option_mb << 20 if option_mb else BASE_MEMORY + 4 * model_bytes


def run(task: Task) -> Finding:
    """Run the child to its end, once no other is running.

    Raises:
        Refused: the version failed a check, crashed the runtime, or passed a limit.
        RepositoryUnavailable: what it found could not be written.
        Unavailable: it was killed from outside, or sync is stopping.
    """
    result = Path(task.result)
    log = result.with_suffix(".log")
    with _one_at_a_time:
        jobs.check()
        code, given_up = _run_child(task, log)
    jobs.check()
    if code == os.EX_TEMPFAIL:
        raise RepositoryUnavailable(f"disk full: what a trial found cannot be written to {result.parent}")
    if code in FROM_OUTSIDE and not given_up:
        raise Unavailable(
            f"its trial was killed ({signal.Signals(-code).name}), most likely because memory ran out: give "
            "sync's container more (SYNC_MEMORY); with FIXGATE_PREFLIGHT_MEMORY_MB below that, it is refused"
        )
    if code != 0 or not result.exists():
        raise Refused("resources", _reason(code, task, log, given_up=given_up))
    finding = msgspec.json.decode(result.read_bytes(), type=Finding)
    if finding.fault is not None:
        raise Refused(cast(Fault, finding.fault), finding.reason)
    return finding


def _run_child(task: Task, log: Path) -> tuple[int, bool]:
    """Its exit status, and whether it was given up here: late, or for sync is stopping."""
    asked = log.with_suffix(".task")
    asked.write_bytes(msgspec.json.encode(task))
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    # Few malloc arenas: each reserves 64 MB of the address space that the limit counts.
    environment |= {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": str(task.threads)}
    with asked.open("rb") as source, log.open("wb") as sink:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "sync.preflight_child"],
            stdin=source, stdout=sink, stderr=sink, env=environment, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + task.timeout_s + GRACE_S
    given_up = True
    try:
        while given_up and time.monotonic() < deadline and not jobs.ending().wait(LOOK_EVERY_S):
            given_up = child.poll() is None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return child.returncode, given_up


def _reason(code: int, task: Task, log: Path, *, given_up: bool) -> str:
    if given_up or code in (-signal.SIGALRM, -signal.SIGXCPU):
        return f"loading and trying it took longer than {task.timeout_s:g} s (FIXGATE_PREFLIGHT_TIMEOUT_S)"
    tail = " ".join(log.read_text(errors="replace").split())[-300:]
    if "MemoryError" in tail or "bad_alloc" in tail:
        return f"needs more than {task.memory_bytes >> 20} MB of memory (FIXGATE_PREFLIGHT_MEMORY_MB)"
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
    return f"crashed the runtime ({how}): {tail or 'it said nothing'}"
