"""How long an alias move takes to reach clients, under load, and what it costs them.

python -m benchmarks.switching: starts the real stack's parts on free ports; two served versions of the demo
model, 100 connections through the gateway, 20 moves; then a version that is not served yet.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mlflow import MlflowClient

from demo import shipped
from tests import launch, switching
from tests.planes import REPOSITORY, Parts, gateway_plane, sync_plane
from tests.test_end_to_end import wait_until_ready

NAME = "switching"
MOVES = 20
NEW_VERSIONS = 3
BODY = np.random.default_rng(0).standard_normal((3, 128, 32)).astype("<f4").tobytes()


def main() -> None:
    """Print one Markdown table."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with (
            launch.redis_server(home) as redis_url,
            launch.mlflow_server(home) as mlflow_uri,
            launch.triton_server(home) as triton,
        ):
            _measure(Parts(redis_url, mlflow_uri, triton, home))


def _measure(parts: Parts) -> None:
    client = MlflowClient(parts.mlflow_uri, parts.mlflow_uri)

    def order(version: int) -> None:
        client.set_registered_model_alias(NAME, "champion", str(version))

    _register(parts, 1, "--alias", "champion")
    _register(parts, 2, "--tag", "fixgate.serve=true")
    for number in range(NEW_VERSIONS):
        _register(parts, number % 2 + 1)
    options = {"FIXGATE_MODELS": NAME, "FIXGATE_DEFAULT_MODEL": NAME}
    with gateway_plane(parts, {"FIXGATE_DEFAULT_MODEL": NAME}) as url, sync_plane(parts, options):
        wait_until_ready(url, "/ready")
        wait_until_ready(url, f"/models/{NAME}/versions/2")
        served = _drive(url, [2, 1] * (MOVES // 2), order)
        new = _drive(url, list(range(3, 3 + NEW_VERSIONS)), order)
    print("| alias moves under 100 connections | median s | slowest s | requests | failed | out of turn |")
    print("|---|---|---|---|---|---|")
    for label, run in (("to a served version", served), ("to a version not served before", new)):
        took = [move.seen - move.ordered for move in run.moves]
        print(
            f"| {len(took)} {label} | {statistics.median(took):.2f} | {max(took):.2f} | {len(run.answers)} "
            f"| {len(run.failures())} | {len(run.strays())} |"
        )


def _drive(url: str, versions: list[int], order: Callable[[int], None]) -> switching.Drive:
    return asyncio.run(switching.drive(url, BODY, versions, order))


def _register(parts: Parts, version: int, *more: str) -> None:
    shipped_version = shipped.VERSIONS[version - 1]
    subprocess.run(
        [
            *(sys.executable, "-m", "cli", "register", str(shipped_version.model), "--name", NAME),
            *("--contract", str(shipped_version.contract), "--mlflow-uri", parts.mlflow_uri, *more),
        ],
        cwd=REPOSITORY,
        check=True,
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main()
