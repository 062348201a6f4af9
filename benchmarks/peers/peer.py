"""The peers: how each is started, and what it is sent."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import bodies
from benchmarks.bodies import Form
from benchmarks.peers import environments
from stack.part import LOOPBACK, Part, http_ok
from tests import launch

SERVED = Path(__file__).parent / "served"
ROOT = Path(__file__).parents[2]

Command = Callable[[Path, int, Path], tuple[str, ...]]
"""The environment's Python, a free port and a folder of the peer's own to a command line."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to serve the same ONNX file. `threads` is onnxruntime's for one call.

    A peer that runs one call at a time is also tried with as many threads as there are cores: `threads` is
    what suits it best, not what suits us.
    """

    name: str
    environment: str
    command: Command
    form: Form
    path: str
    ready: str = "/health"
    threads: int = 1
    variables: Mapping[str, str] = field(default_factory=dict)
    prepare: str = ""

    @contextlib.contextmanager
    def running(self, model: Path, cache: Path) -> Iterator[str]:
        """Serve `model` on a free port; yields the URL to post to. Nothing of it is left afterwards."""
        executable = environments.python(self.environment, cache / "peers")
        home = cache / "served" / f"{self.environment}-{model.parent.name}-{self.threads}"
        home.mkdir(parents=True, exist_ok=True)
        given = {
            "MODEL": str(model.absolute()),
            "THREADS": str(self.threads),
            "PYTHONPATH": f"{SERVED}:{ROOT}",
            "PATH": f"{executable.parent}:/usr/local/bin:/usr/bin:/bin",
            **self.variables,
        }
        if self.prepare and not (home / "model").exists():
            subprocess.run(
                [str(executable), str(SERVED / self.prepare), str(home / "model")], env=given, check=True
            )

        def part(ports: list[int]) -> Part:
            numbers = {"PORT": str(ports[0]), "SECOND_PORT": str(ports[1]), "THIRD_PORT": str(ports[2])}
            more = {name: value.format(*ports) for name, value in given.items()}
            return Part(
                name=self.environment,
                command=self.command(executable, ports[0], home),
                folder=SERVED,
                address=f"http://{LOOPBACK}:{ports[0]}",
                ready=lambda: http_ok(ports[0], self.ready),
                environment={**more, **numbers},
                start_timeout_s=240.0,
            )

        with launch.running(home, part) as (started, _):
            yield started.address + self.path


def _fastapi(workers: int) -> Command:
    return lambda python, port, _: (
        *(str(python), "-m", "uvicorn", "fastapi_app:app", "--port", str(port)),
        *("--workers", str(workers), "--no-access-log", "--log-level", "warning"),
    )


def _script(name: str) -> Command:
    return lambda python, _port, _home: (str(python), name)


def _bentoml(python: Path, port: int, _: Path) -> tuple[str, ...]:
    return (str(python), "-m", "bentoml", "serve", "bentoml_app:Model", "--port", str(port))


def _mlserver(python: Path, _port: int, _home: Path) -> tuple[str, ...]:
    return (str(python.parent / "mlserver"), "start", "mlserver")


def _mlflow(python: Path, port: int, home: Path) -> tuple[str, ...]:
    return (
        *(str(python), "-m", "mlflow", "models", "serve", "-m", str(home / "model"), "-p", str(port)),
        *("--env-manager", "local", "--workers", "2"),
    )


def fastapi(workers: int) -> Peer:
    """FastAPI and onnxruntime in each of its worker processes."""
    words = "1 worker" if workers == 1 else f"{workers} workers"
    return Peer(f"FastAPI, {words}", "fastapi", _fastapi(workers), bodies.TENSOR, "/predict")


def fastapi_iq(workers: int) -> Peer:
    """The same with the gateway's own front-end in it."""
    return Peer(
        f"FastAPI with the same front-end, {workers} workers",
        "fastapi",
        _fastapi(workers),
        bodies.IQ,
        "/predict",
        variables={"FRONTEND": "1"},
    )


def litserve(threads: int, workers: int = 1) -> Peer:
    """LitServe, batches of up to 32 in each of its workers."""
    return Peer(
        f"LitServe, {_threads(threads)}" if workers == 1 else f"LitServe, {workers} workers",
        "litserve",
        _script("litserve_app.py"),
        bodies.HEX,
        "/predict",
        threads=threads,
        variables={"WORKERS": str(workers)},
    )


def bentoml(threads: int) -> Peer:
    """BentoML, adaptive batches of up to 32."""
    return Peer(
        f"BentoML, {_threads(threads)}",
        "bentoml",
        _bentoml,
        bodies.LIST,
        "/run",
        ready="/readyz",
        threads=threads,
        variables={"BENTOML_DO_NOT_TRACK": "True"},
    )


def mlserver(threads: int) -> Peer:
    """MLServer, adaptive batches of up to 32."""
    return Peer(
        f"MLServer, {_threads(threads)}",
        "mlserver",
        _mlserver,
        bodies.V2,
        "/v2/models/loc/infer",
        ready="/v2/models/loc/ready",
        threads=threads,
        variables={
            "MLSERVER_HTTP_PORT": "{0}",
            "MLSERVER_GRPC_PORT": "{1}",
            "MLSERVER_METRICS_PORT": "{2}",
            "MLSERVER_PARALLEL_WORKERS": "0",
        },
    )


def ray(threads: int) -> Peer:
    """Ray Serve, batches of up to 32."""
    return Peer(
        f"Ray Serve, {_threads(threads)}",
        "ray",
        _script("ray_app.py"),
        bodies.TENSOR,
        "/",
        ready="/",
        threads=threads,
        variables={"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": str(threads)},
    )


def mlflow(threads: int) -> Peer:
    """`mlflow models serve`, two workers."""
    return Peer(
        "mlflow models serve, 2 workers",
        "mlflow",
        _mlflow,
        bodies.MLFLOW,
        "/invocations",
        ready="/ping",
        threads=threads,
        prepare="mlflow_model.py",
    )


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


PEERS: dict[str, tuple[Peer, ...]] = {
    "fastapi": (fastapi(1), fastapi(2)),
    "litserve": (litserve(1), litserve(2), litserve(1, workers=2)),
    "bentoml": (bentoml(1), bentoml(2)),
    "mlserver": (mlserver(1), mlserver(2)),
    "ray": (ray(1), ray(2)),
    "mlflow": (mlflow(1),),
}
"""By the name under which `make bench` selects them."""
