"""A real MLflow 2 server, from an environment of its own that is made once and kept."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from stack.part import LOOPBACK, Part, http_ok
from tests import launch

PINS = Path(__file__).with_name("mlflow-2.txt")
CACHE = Path(__file__).parents[2] / ".cache"


def environment() -> Path:
    """The environment's folder; made when it is not there, or not by these pins and this Python."""
    mark = hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = CACHE / f"mlflow-2-{mark}"
    if folder.exists():
        return folder
    CACHE.mkdir(exist_ok=True)
    for old in CACHE.glob("mlflow-2-*"):
        shutil.rmtree(old)
    making = CACHE / f"making-mlflow-2-{os.getpid()}"
    try:
        subprocess.run([sys.executable, "-m", "venv", making], check=True)
        subprocess.run(
            [
                *(making / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--no-deps", "--requirement", PINS),
            ],
            check=True,
        )
        making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder


@contextlib.contextmanager
def server(home: Path, *, proxied: bool) -> Iterator[str]:
    """A server with a SQLite store; its artifacts go through it, or (not proxied) to a path directly."""
    python = environment() / "bin/python"
    artifacts = home / "artifacts"

    def part(ports: list[int]) -> Part:
        through, beside = ("--artifacts-destination",), ("--no-serve-artifacts", "--default-artifact-root")
        return Part(
            name="mlflow-2",
            command=(
                *(str(python), "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(ports[0])),
                *("--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}", "--workers", "1"),
                *(*(through if proxied else beside), str(artifacts)),
            ),
            folder=home,
            address=f"http://{LOOPBACK}:{ports[0]}",
            ready=lambda: http_ok(ports[0], "/health"),
            # Gunicorn's workers are found by PATH; nothing of our own environment may be seen.
            environment={"PATH": f"{python.parent}:/usr/bin:/bin", "PYTHONPATH": None, "VIRTUAL_ENV": None},
        )

    with launch.running(home, part) as (running, _):
        yield running.address
