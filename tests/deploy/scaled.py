"""Two Tritons over one repository, two gateways, deploy/haproxy before them, sync behind: real processes."""

import contextlib
import dataclasses
import json
import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from mlflow import MlflowClient

from contract import catalog as catalogs
from contract import keys
from stack.part import LOOPBACK, Part, http_ok
from stack.triton_server import TritonPorts, triton_part
from sync.registering import Order, register
from tests import launch
from tests.deploy.conftest import HAPROXY_LIBRARIES, ROOT
from tests.faults.world import Held
from tests.gateway import stand
from tests.gateway.gateway_process import gateway_part
from tests.planes import Parts, sync_plane

MODEL = "scaled-echo"
CONTRACT = {
    "schema": 1,
    "input": {"tensor": "x", "kind": "tensor"},
    "output": stand.OUTPUT,
}


@dataclass(frozen=True)
class Copy:
    """One of two Tritons or gateways. `metrics` is the URL of its counters."""

    held: Held
    metrics: str

    @property
    def port(self) -> int:
        """Where it listens for HTTP."""
        return int(self.held.part.address.rpartition(":")[2])

    def count(self, metric: str) -> float:
        """The sum of a counter over our model's series; 0 when it does not answer (yet)."""
        try:
            with urllib.request.urlopen(self.metrics, timeout=10) as answer:
                text = answer.read().decode()
        except OSError:
            return 0.0
        series = re.findall(rf'^{metric}{{[^}}]*model="{MODEL}"[^}}]*}} (\S+)$', text, re.MULTILINE)
        return sum(map(float, series))


@dataclass(frozen=True)
class Scaled:
    """What is there twice, and what once. `url` is the proxy's."""

    url: str
    tritons: tuple[Copy, Copy]
    gateways: tuple[Copy, Copy]
    redis_url: str
    mlflow_uri: str
    home: Path

    def register(self, *aliases: str) -> int:
        """Register the next version of the echo; its number."""
        path = self.home / "echo.onnx"
        path.write_bytes(stand.echo_model(MODEL).onnx)
        order = Order(path, MODEL, CONTRACT, aliases=aliases, max_batch_size=stand.MAX_BATCH)
        return register(order, self.mlflow_uri).version

    def ready(self, version: int) -> list[bool]:
        """Whether each Triton has this version ready."""
        path = f"/v2/models/{MODEL}/versions/{version}/ready"
        return [http_ok(copy.port, path) for copy in self.tritons]

    def promote(self, version: int) -> None:
        """Move the champion's alias in the registry, as a person does."""
        client = MlflowClient(self.mlflow_uri, self.mlflow_uri)
        client.set_registered_model_alias(MODEL, "champion", str(version))

    def published(self) -> tuple[int, int | None]:
        """Revision and champion of the catalogue that sync has published."""
        with redis.Redis.from_url(self.redis_url) as client:
            document = client.get(keys.CATALOG)
        if not isinstance(document, bytes):
            return 0, None
        catalog = catalogs.parse(document)
        served = catalog.models.get(MODEL)
        return catalog.revision, served.aliases.get("champion") if served else None

    def followed(self) -> list[int]:
        """The revision that each gateway goes by."""
        return [
            int(detailed(copy.held.part.address)["dependencies"]["catalogue"].get("revision", 0))
            for copy in self.gateways
        ]


def detailed(url: str) -> dict[str, Any]:
    """What a gateway says of its dependencies."""
    with urllib.request.urlopen(f"{url}/health/detailed", timeout=10) as answer:
        document: dict[str, Any] = json.load(answer)
        return document


@contextlib.contextmanager
def scaled(home: Path, haproxy: Path, mlflow_uri: str) -> Iterator[Scaled]:
    """Everything runs, a first version is the champion, and both gateways are ready to answer for it."""
    with contextlib.ExitStack() as stack:
        redis_url = stack.enter_context(launch.redis_server(home))
        repository, staging = home / "model_repository", home / "staging"
        staging.mkdir(parents=True)
        ports = launch.free_ports(10)
        tritons = [_triton(home, repository, ports[:3], 1), _triton(home, repository, ports[3:6], 2)]
        both = launch.Triton(
            http=f"{LOOPBACK}:{ports[0]},{LOOPBACK}:{ports[3]}",
            grpc=f"{LOOPBACK}:{ports[1]},{LOOPBACK}:{ports[4]}",
            metrics="",
            repository=repository,
            staging=staging,
            log=home / "logs",
        )
        parts = Parts(redis_url, mlflow_uri, both, home)
        gateways = [_gateway(parts, ports[6], 1), _gateway(parts, ports[7], 2)]
        proxy = _proxy(home, haproxy, gateways, ports[8:])
        made = Scaled(
            url=proxy.part.address,
            tritons=(tritons[0], tritons[1]),
            gateways=(gateways[0], gateways[1]),
            redis_url=redis_url,
            mlflow_uri=mlflow_uri,
            home=home,
        )
        for held in (*(copy.held for copy in tritons), proxy):
            stack.callback(held.end)
            held.start()
        made.register("champion")
        stack.enter_context(sync_plane(parts, {"FIXGATE_MODELS": MODEL}))
        for copy in gateways:
            stack.callback(copy.held.end)
            copy.held.begin()
        for copy in gateways:
            copy.held.wait()
        yield made


def _triton(home: Path, repository: Path, ports: list[int], number: int) -> Copy:
    part = triton_part(home / f"triton-{number}", repository, TritonPorts(*ports))
    held = Held(dataclasses.replace(part, name=f"triton-{number}"), home / "logs" / f"triton-{number}.log")
    return Copy(held, f"http://{LOOPBACK}:{ports[2]}/metrics")


def _gateway(parts: Parts, port: int, number: int) -> Copy:
    named = {name: value for name, value in parts.environment.items() if value is not None}
    environment = {**named, "FIXGATE_DEFAULT_MODEL": MODEL, "FIXGATE_HEIMDALL_METRICS": "off"}
    part = gateway_part(parts.home / f"gateway-{number}", environment, port)
    held = Held(
        dataclasses.replace(part, name=f"gateway-{number}"), parts.home / "logs" / f"gateway-{number}.log"
    )
    return Copy(held, f"{part.address}/metrics")


def _proxy(home: Path, haproxy: Path, gateways: list[Copy], ports: list[int]) -> Held:
    addresses = [copy.held.part.address.removeprefix("http://") for copy in gateways]
    part = Part(
        name="haproxy",
        command=(str(haproxy), "-db", "-f", str(ROOT / "deploy/haproxy/haproxy.cfg")),
        folder=home,
        address=f"http://{LOOPBACK}:{ports[0]}",
        ready=lambda: http_ok(ports[1], "/health"),
        environment={
            "LD_LIBRARY_PATH": str(HAPROXY_LIBRARIES),
            "GATEWAY_1": addresses[0],
            "GATEWAY_2": addresses[1],
            "HAPROXY_LISTEN": f"{LOOPBACK}:{ports[0]}",
            "HAPROXY_METRICS": f"{LOOPBACK}:{ports[1]}",
        },
    )
    return Held(part, home / "logs" / "haproxy.log")
