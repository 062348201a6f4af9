"""All parts as processes: those of `world`, an MLflow, and a sync that moves what is registered there."""

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from contract.model import dump
from stack.mlflow_server import mlflow_part
from stack.part import LOOPBACK, Part, http_ok
from tests import launch
from tests.faults.world import MODEL, Held, World, world
from tests.gateway import stand
from tests.planes import REPOSITORY


@dataclass
class Planes:
    """Both planes and what they stand on; `clock` holds by how much their clocks are wrong."""

    world: World
    mlflow: Held
    sync: Held
    home: Path
    clock: Path

    @property
    def url(self) -> str:
        """The gateway's."""
        return self.world.url

    @property
    def registry(self) -> MlflowClient:
        """MLflow, as a person uses it."""
        return MlflowClient(self.mlflow.part.address, self.mlflow.part.address)

    @property
    def parts(self) -> dict[str, Held]:
        """By name."""
        held = (self.world.redis, self.world.triton, self.world.gateway, self.mlflow, self.sync)
        return {one.part.name: one for one in held}

    def register(self) -> int:
        """Register the model once more, as any tool could, to be served; the version's number."""
        client, model = self.registry, stand.echo_model(MODEL)
        if not client.search_registered_models(f"name = '{MODEL}'"):
            client.create_registered_model(MODEL, tags={"fixgate.contract": json.dumps(dump(model.contract))})
        file = self.home / "model.onnx"
        file.write_bytes(model.onnx)
        run = client.create_run("0")
        client.log_artifact(run.info.run_id, str(file), "model")
        source, tags = f"{run.info.artifact_uri}/model", {"fixgate.serve": "true"}
        made = client.create_model_version(MODEL, source, run.info.run_id, tags=tags)
        return int(made.version)

    def let_go(self, version: int) -> None:
        """Have it served no longer."""
        self.registry.delete_model_version_tag(MODEL, str(version), "fixgate.serve")

    def status(self, version: int) -> str:
        """What sync says of it in the registry."""
        return str(self.registry.get_model_version(MODEL, str(version)).tags.get("fixgate.status", ""))

    def set_clock(self, seconds: float) -> None:
        """Make both planes' clocks wrong by so much, at once."""
        staged = self.clock.with_suffix(".new")
        staged.write_text(str(seconds))
        os.replace(staged, self.clock)

    def promote(self, version: int) -> None:
        """Make it the champion."""
        self.registry.set_registered_model_alias(MODEL, "champion", str(version))


@contextlib.contextmanager
def planes(home: Path, **options: str) -> Iterator[Planes]:
    """Everything on free ports, nothing started yet; whatever runs is stopped at the end."""
    clock = home / "clock"
    home.mkdir(parents=True, exist_ok=True)
    clock.write_text("0")
    mlflow_port, sync_port = launch.free_ports(2)
    with world(home, **options) as made:
        mlflow = Held(mlflow_part(home, mlflow_port), home / "logs" / "mlflow.log")
        part = _sync_part(made, mlflow.part.address, home, sync_port)
        sync = Held(_with_clock(part, clock), home / "logs" / "sync.log")
        made.gateway.part = _with_clock(made.gateway.part, clock)
        try:
            yield Planes(made, mlflow, sync, home, clock)
        finally:
            for held in (sync, mlflow):
                held.end()


def _sync_part(made: World, mlflow_uri: str, home: Path, port: int) -> Part:
    return Part(
        name="sync",
        command=(sys.executable, "-m", "sync"),
        folder=REPOSITORY,
        address=f"http://{LOOPBACK}:{port}",
        ready=lambda: http_ok(port, "/health"),
        environment={
            "FIXGATE_HOME": str(home / "sync"),
            "FIXGATE_MLFLOW_URI": mlflow_uri,
            "FIXGATE_REDIS_URL": made.redis_url,
            "FIXGATE_MODEL_REPOSITORY": str(made.served.repository),
            "FIXGATE_STAGING": str(made.served.staging),
            "FIXGATE_TRITON_HTTP": made.served.http,
            "FIXGATE_SYNC_PORT": str(port),
            "FIXGATE_DRAIN_S": "0",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": "2",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        },
    )


def _with_clock(part: Part, clock: Path) -> Part:
    executable, _, *module = part.command
    command = (executable, "-m", "tests.faults.clock", str(clock), *module)
    return dataclasses.replace(part, command=command)
