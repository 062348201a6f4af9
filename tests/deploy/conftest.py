"""What `make test-deploy` needs beside the suite's own parts: Debian's packages and clean environments."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "deploy"
DEBIAN = CACHE / "debian"
HAPROXY_LIBRARIES = DEBIAN / "usr/lib/x86_64-linux-gnu"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own checker."""
    return debian("promtool")


@pytest.fixture(scope="session")
def prometheus() -> Path:
    """A Prometheus."""
    return debian("prometheus")


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """Debian's kubectl (1.20): what its old kustomize accepts, new ones accept too."""
    return debian("kubectl")


@pytest.fixture(scope="session")
def haproxy() -> Path:
    """A HAProxy; its libraries are in `HAPROXY_LIBRARIES`."""
    return debian("haproxy", "sbin")


def debian(name: str, folder: str = "bin") -> Path:
    """An executable that deploy/test-tools.sh has unpacked."""
    found = DEBIAN / "usr" / folder / name
    if not found.exists():
        pytest.fail(f"{name} is not in {DEBIAN}: run `make test-deploy`, which fetches it (needs apt-get)")
    return found


def tool(name: str) -> str:
    """A command of the extra `test-deploy`."""
    found = shutil.which(name, path=str(BIN))
    if found is None:
        pytest.fail(f"{name} is not installed: run `make test-deploy`, or pip install '.[test-deploy]'")
    return found


def run(*command: str | Path, cwd: Path = ROOT, environment: Mapping[str, str] | None = None) -> str:
    """Run a command that must succeed; its output."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout
