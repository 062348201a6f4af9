"""The running service that is measured: real Redis, MLflow, Triton, sync and gateway on free ports.

Models come in by the front door (`fixgate register`, sync's proof and publication). Then MLflow and sync are
stopped: the data plane needs neither, and they would take their share of the two cores from either side.
"""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processes
from benchmarks.workloads.models import Workload
from stack.options import usual_workers
from stack.part import LOOPBACK, Part, http_ok
from tests import launch
from tests.planes import REPOSITORY, Parts, sync_plane

CACHE = REPOSITORY / ".bench"
"""Models, environments and scripts that the next run can use again."""

READY_S = 180.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway; `port` is where it listens."""

    url: str
    port: int

    def rss_mb(self) -> float:
        """Resident memory of its processes together."""
        return processes.rss_mb(processes.of_gateway(self.port))

    def processor_s(self) -> float:
        """Processor time of its processes so far."""
        return processes.processor_s(processes.of_gateway(self.port))


@dataclass(frozen=True, slots=True)
class Service:
    """Redis and Triton with models in them."""

    parts: Parts

    @property
    def triton_http(self) -> str:
        """URL of Triton's HTTP listener."""
        return f"http://{self.parts.triton.http}"

    def model_s(self) -> float:
        """Processor time of Triton so far, and of the processes that run its models."""
        return processes.processor_s(processes.of_triton(self.parts.triton.http))

    @contextlib.contextmanager
    def gateway(self, options: Mapping[str, str] | None = None) -> Iterator[Gateway]:
        """A gateway of its own, as `fixgate up` starts it but for these options; ready to answer."""
        with _gateway(self.parts, options or {}) as gateway:
            yield gateway


@contextlib.contextmanager
def service(workloads: Sequence[Workload]) -> Iterator[Service]:
    """Serve these; the first is what `/predict` means."""
    with tempfile.TemporaryDirectory(prefix="fixgate-bench-") as folder:
        home = Path(folder)
        with launch.redis_server(home) as redis_url, launch.triton_server(home) as triton:
            with launch.mlflow_server(home) as mlflow_uri:
                parts = Parts(redis_url, mlflow_uri, triton, home)
                _publish(parts, workloads)
            yield Service(parts)


def leave_nothing_behind() -> None:
    """Have SIGINT and SIGTERM end the program in order, with all that it started."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))


def _publish(parts: Parts, workloads: Sequence[Workload]) -> None:
    options = {"FIXGATE_DEFAULT_MODEL": workloads[0].name, "FIXGATE_LOAD_TIMEOUT_S": "180"}
    with sync_plane(parts, options), _gateway(parts, {}, ready="/health") as gateway:
        for workload in workloads:
            _register(parts, workload)
        for workload in workloads:
            _wait(gateway, f"/models/{workload.name}/versions/1")


def _register(parts: Parts, workload: Workload) -> None:
    model = workload.file(CACHE / "models")
    contract = model.with_name("contract.json")
    contract.write_text(json.dumps(workload.contract))
    subprocess.run(
        [
            *(sys.executable, "-m", "cli", "register", str(model), "--name", workload.name),
            *("--contract", str(contract), "--alias", "champion", "--mlflow-uri", parts.mlflow_uri),
        ],
        cwd=REPOSITORY,
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextlib.contextmanager
def _gateway(parts: Parts, options: Mapping[str, str], ready: str = "/ready") -> Iterator[Gateway]:
    home = Path(tempfile.mkdtemp(dir=parts.home))

    def part(ports: list[int]) -> Part:
        return Part(
            name="gateway",
            command=(sys.executable, "-m", "gateway"),
            folder=REPOSITORY,
            address=f"http://{LOOPBACK}:{ports[0]}",
            ready=lambda: http_ok(ports[0], ready),
            environment={
                **parts.environment,
                "FIXGATE_HOME": str(home),
                "FIXGATE_PORT": str(ports[0]),
                "FIXGATE_WORKERS": str(usual_workers()),
                **options,
            },
            stop_timeout_s=35.0,
        )

    with launch.running(home, part) as (started, ports):
        yield Gateway(started.address, ports[0])


def _wait(gateway: Gateway, path: str) -> None:
    until = time.monotonic() + READY_S
    while not http_ok(gateway.port, path):
        if time.monotonic() > until:
            raise TimeoutError(f"{path} is not served after {READY_S:g} s")
        time.sleep(0.2)
