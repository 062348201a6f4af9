"""`fixgate up` as a user runs it, on free ports, and the processes of its parts."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.triton.shared_memory import FOLDER, PREFIX
from stack import process
from stack.part import LOOPBACK
from stack.triton_server import shared_memory_prefix
from tests.launch import free_ports
from tests.planes import REPOSITORY

START_S = 240.0
PORTS = ("port", "sync-port", "mlflow-port", "redis-port", "triton-http-port", "triton-grpc-port")
PARTS = {
    "redis": "redis-server",
    "mlflow": "mlflow",
    "triton": "tritonserver",
    "sync": "-m sync",
    "gateway": "-m gateway",
}
"""What the command line of each part's first process holds."""

BOUNDS = {
    "FIXGATE_CACHE_L1_BYTES": str(1 << 20),
    "FIXGATE_CACHE_TTL_S": "60",
    "FIXGATE_REMEMBER_COUNT": "500",
    "FIXGATE_REMEMBER_S": "60",
}
"""So low that what is kept on purpose stops growing in the first minutes: what grows later is a leak."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a part uses, all of its processes together; `leader` tells one life of it from the next."""

    leader: int
    rss_mb: float
    files: int
    threads: int


@dataclass(frozen=True, slots=True)
class Stack:
    """A running `fixgate up`."""

    home: Path
    up: int
    ports: dict[str, int]
    _gateways: set[int] = field(default_factory=set)

    @property
    def gateway(self) -> str:
        """URL of the gateway."""
        return f"http://{LOOPBACK}:{self.ports['port']}"

    @property
    def mlflow(self) -> str:
        """URI of the registry."""
        return f"http://{LOOPBACK}:{self.ports['mlflow-port']}"

    @property
    def redis(self) -> str:
        """URL of Redis."""
        return f"redis://{LOOPBACK}:{self.ports['redis-port']}"

    def leader(self, part: str) -> int | None:
        """Process id, and so process group, of a part; None while it is being started again."""
        mine = (entry for entry in Path("/proc").iterdir() if entry.name.isdecimal())
        found = (one for one in mine if _parent(one) == self.up and PARTS[part] in _command(one))
        return next((int(entry.name) for entry in found), None)

    def usage(self) -> dict[str, Usage]:
        """What the parts that run now use."""
        leaders = {part: self.leader(part) for part in PARTS}
        if (gateway := leaders["gateway"]) is not None:
            self._gateways.update(process.members(gateway))
        return {part: _usage(leader) for part, leader in leaders.items() if leader is not None}

    def signal(self, part: str, number: signal.Signals) -> None:
        """Send a signal to every process of a part."""
        if (leader := self.leader(part)) is not None:
            process.signal_group(leader, number)

    def tracebacks(self) -> list[str]:
        """Of the errors that the gateway's log tells of, with the tracebacks: what a 500 was."""
        lines = (self.home / "logs" / "gateway.log").read_text(errors="replace").splitlines()
        return [line for line in lines if '"level":"error"' in line and '"error":"' in line]

    def segments(self) -> int:
        """Segments of shared memory that its Triton or its gateways have made, also those that are dead."""
        prefixes = (shared_memory_prefix(self.home), *(f"{PREFIX}{pid}-" for pid in self._gateways))
        return sum(path.name.startswith(prefixes) for path in FOLDER.iterdir())


@contextlib.contextmanager
def running(options: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Start it with the demo's models and these options in its environment, and stop it at the end.

    Raises:
        RuntimeError: it did not get ready; ends with what it printed.
    """
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    metrics = free_ports(1)[0]
    with tempfile.TemporaryDirectory(prefix="fixgate-soak-") as folder:
        home = Path(folder)
        output = home / "up.log"
        arguments = [f"--{name}={number}" for name, number in ports.items()]
        with output.open("wb") as file:
            up = subprocess.Popen(
                [
                    *(sys.executable, "-m", "cli", "up", *arguments),
                    *(f"--triton-metrics-port={metrics}", f"--home={home / 'home'}"),
                ],
                cwd=REPOSITORY,
                env={
                    **os.environ,
                    **BOUNDS,
                    "FIXGATE_MODEL_REPOSITORY": str(home / "model_repository"),
                    **(options or {}),
                },
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _wait(up, output)
            yield Stack(home / "home", up.pid, ports)
        finally:
            process.stop(up, 60)


def _wait(up: "subprocess.Popen[bytes]", output: Path) -> None:
    until = time.monotonic() + START_S
    while "Ready." not in output.read_text():
        if up.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"`fixgate up` did not get ready:\n{output.read_text()}")
        time.sleep(0.2)


def _usage(leader: int) -> Usage:
    rss, files, threads = 0.0, 0, 0
    for pid in process.members(leader):
        with contextlib.suppress(OSError):
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            rss += int(status.get("VmRSS", "0 kB").split()[0]) / 1000
            threads += int(status["Threads"])
            files += len(os.listdir(f"/proc/{pid}/fd"))
    return Usage(leader, rss, files, threads)


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
