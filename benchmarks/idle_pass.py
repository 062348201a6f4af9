"""What a pass of sync costs when nothing is to be done: 100 registered models of 10 versions each.

python -m benchmarks.idle_pass: starts MLflow, Redis and Triton on free ports. One of the models is served.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from mlflow import MlflowClient

from demo import shipped
from sync.assembly import assemble
from sync.config import Config
from sync.watch import Bell
from tests import launch
from tests.planes import REPOSITORY

MODELS, VERSIONS, PASSES = 100, 10, 200


def main() -> None:
    """Print one Markdown table."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with (
            launch.redis_server(home) as redis_url,
            launch.mlflow_server(home) as mlflow_uri,
            launch.triton_server(home) as triton,
        ):
            _fill(mlflow_uri)
            config = Config(
                home=home / "sync",
                mlflow_uri=mlflow_uri,
                redis_url=redis_url,
                model_repository=str(triton.repository),
                staging=triton.staging,
                triton_http=(triton.http,),
            )
            _measure(config)


def _fill(mlflow_uri: str) -> None:
    model = shipped.VERSIONS[0]
    command = (sys.executable, "-m", "cli", "register", str(model.model), "--name", "served")
    options = ("--contract", str(model.contract), "--alias", "champion", "--mlflow-uri", mlflow_uri)
    subprocess.run([*command, *options], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    client = MlflowClient(mlflow_uri, mlflow_uri)
    first = client.get_model_version("served", "1")
    for number in range(MODELS - 1):
        client.create_registered_model(f"model-{number:03d}")
        for _ in range(VERSIONS):
            client.create_model_version(f"model-{number:03d}", first.source, first.run_id)


def _measure(config: Config) -> None:
    bell = Bell()
    parts = assemble(config, bell)
    reconciler = parts.watch.reconciler
    reconciler.start()
    while not reconciler.run_pass().settled:
        bell.wait(0.1)
    with _counted() as calls:
        took = []
        for _ in range(PASSES):
            began = time.perf_counter()
            reconciler.run_pass()
            took.append((time.perf_counter() - began) * 1000)
            time.sleep(max(0.0, config.poll_s - took[-1] / 1000))
    print("| models x versions | median ms | 95 % ms | slowest ms | registry calls a pass |")
    print("|---|---|---|---|---|")
    each, p95 = len(calls) / PASSES, statistics.quantiles(took, n=20)[18]
    print(
        f"| {MODELS} x {VERSIONS} | {statistics.median(took):.0f} | {p95:.0f} | {max(took):.0f} | {each:g} |"
    )
    bell.stop()
    reconciler.work.jobs.close()
    reconciler.feed.close()


@contextmanager
def _counted() -> Iterator[list[str]]:
    """The URLs that MLflow's client asks for."""
    calls: list[str] = []
    send = requests.Session.send

    def counting(session: requests.Session, request: requests.PreparedRequest, **options: object) -> object:
        calls.append(str(request.url))
        return send(session, request, **options)  # type: ignore[arg-type]

    requests.Session.send = counting  # type: ignore[assignment,method-assign]
    try:
        yield calls
    finally:
        requests.Session.send = send  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
