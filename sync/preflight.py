"""Prove a version before it is published, in a child process with limits on memory and time."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import msgspec

from contract.catalog import TensorSpec
from sync.errors import Fault, Refused, RepositoryUnavailable

GRACE_S = 5.0
BASE_MEMORY = 4 << 30
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
"""The child sees no credentials: these variables only."""


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
    """Run the child to its end.

    Raises:
        Refused: the version failed a check, crashed the runtime, or passed a limit.
        RepositoryUnavailable: what it found could not be written.
    """
    result = Path(task.result)
    log = result.with_suffix(".log")
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    # Few malloc arenas: each reserves 64 MB of the address space that the limit counts.
    environment |= {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": str(task.threads)}
    with log.open("wb") as sink:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "sync.preflight_child"],
            stdin=subprocess.PIPE, stdout=sink, stderr=sink, env=environment, start_new_session=True,
        )  # fmt: skip
        try:
            child.communicate(msgspec.json.encode(task), timeout=task.timeout_s + GRACE_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    if child.returncode == os.EX_TEMPFAIL:
        raise RepositoryUnavailable(f"disk full: what a trial found cannot be written to {result.parent}")
    if child.returncode != 0 or not result.exists():
        raise Refused("resources", _reason(child.returncode, task, log))
    finding = msgspec.json.decode(result.read_bytes(), type=Finding)
    if finding.fault is not None:
        raise Refused(cast(Fault, finding.fault), finding.reason)
    return finding


def _reason(code: int, task: Task, log: Path) -> str:
    if code in (-signal.SIGALRM, -signal.SIGKILL, -signal.SIGXCPU):
        return f"loading and trying it took longer than {task.timeout_s:g} s (FIXGATE_PREFLIGHT_TIMEOUT_S)"
    tail = " ".join(log.read_text(errors="replace").split())[-300:]
    if "MemoryError" in tail or "bad_alloc" in tail:
        return f"needs more than {task.memory_bytes >> 20} MB of memory (FIXGATE_PREFLIGHT_MEMORY_MB)"
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
    return f"crashed the runtime ({how}): {tail or 'it said nothing'}"
