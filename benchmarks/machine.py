"""What the figures depend on besides the code."""

import importlib.metadata
import os
import platform
from pathlib import Path

LIBRARIES = ("aiohttp", "uvloop", "onnxruntime", "nvidia-pytriton", "numpy")


def describe() -> str:
    """Processor, cores, memory, system and versions in one line."""
    cpu = _field("/proc/cpuinfo", "model name") or platform.processor()
    memory = int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) / 1e6
    versions = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    return (
        f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GB; {_system()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def load() -> float:
    """Load average of the last minute."""
    return os.getloadavg()[0]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def _system() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return platform.system()
    return release.get("PRETTY_NAME", platform.system())


def _field(path: str, name: str) -> str | None:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None
