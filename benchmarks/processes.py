"""What processes use, by /proc."""

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path


def of_gateway(port: int) -> list[int]:
    """The parent and the workers of the gateway on that port: their environment says it."""
    needle = f"FIXGATE_PORT={port}\0".encode()
    return _found(
        lambda proc: (
            needle in (proc / "environ").read_bytes() and b"gateway" in (proc / "cmdline").read_bytes()
        )
    )


def of_command(*words: str) -> list[int]:
    """Those whose command line has these words, one after the other."""
    needle = "".join(f"\0{word}" for word in words).encode() + b"\0"
    return _found(lambda proc: needle in (proc / "cmdline").read_bytes())


def of_triton(http: str) -> list[int]:
    """The Triton that listens there (host:port), and the processes that run its models."""
    servers = of_command(f"--http-port={http.rpartition(':')[2]}")
    return servers + _found(lambda proc: int(_stat(proc)[1]) in servers)


def rss_mb(pids: Iterable[int]) -> float:
    """Resident memory, in MB."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def processor_s(pids: Iterable[int]) -> float:
    """Processor time so far, in seconds."""
    ticks = sum(sum(map(int, _stat(Path(f"/proc/{pid}"))[11:13])) for pid in pids)
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(proc: Path) -> list[str]:
    """Fields from the third on: what comes before may hold spaces (proc_pid_stat(5))."""
    return (proc / "stat").read_text().rpartition(")")[2].split()


def _found(wanted: Callable[[Path], bool]) -> list[int]:
    """Those of all processes; one that ends while it is looked at is none."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and wanted(entry):
                found.append(int(entry.name))
    return found
