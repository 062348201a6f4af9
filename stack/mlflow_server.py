"""MLflow's tracking server and registry on loopback, over SQLite and a local artifact folder."""

import base64
import importlib.metadata
import os
import sys
from pathlib import Path

from stack.part import LOOPBACK, CannotStart, Part, http_ok

WEBHOOK_KEY = "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"


def mlflow_part(home: Path, port: int) -> Part:
    """Our own MLflow. Clients reach artifacts through the server only, so that no path of ours leaks.

    Raises:
        CannotStart: the full mlflow is not installed.
    """
    try:
        importlib.metadata.version("mlflow")  # the skinny one has no server
    except importlib.metadata.PackageNotFoundError:
        raise CannotStart(
            "the MLflow server is not installed: pip install 'fixgate[stack]', "
            "or set MLFLOW_TRACKING_URI to a running one"
        ) from None
    folder = (home / "mlflow").absolute()
    return Part(
        name="mlflow",
        command=(
            *(sys.executable, "-P", "-m", "mlflow", "server"),
            *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
            *("--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")),
            *("--host", LOOPBACK, "--port", str(port), "--workers", "1"),
        ),
        folder=folder,
        address=f"http://{LOOPBACK}:{port}",
        ready=lambda: http_ok(port, "/health"),
        environment={
            # Registry events reach sync on this machine, unencrypted.
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            # A webhook counts a second after it is registered; by default a minute.
            "MLFLOW_WEBHOOK_CACHE_TTL": "1",
            WEBHOOK_KEY: os.environ.get(WEBHOOK_KEY) or _webhook_key(folder / "webhook.key"),
            # Eight more processes, half a minute at stopping, and nothing that a registry needs.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            # A tracking server that is told of itself asks itself.
            "MLFLOW_TRACKING_URI": None,
            "MLFLOW_REGISTRY_URI": None,
        },
    )


def _webhook_key(file: Path) -> str:
    """The key that MLflow encrypts webhook secrets with; a new one at each start would lose them."""
    try:
        return file.read_text()
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
        key = base64.urlsafe_b64encode(os.urandom(32)).decode()
        file.touch(mode=0o600)
        file.write_text(key)
        return key
