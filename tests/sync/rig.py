"""sync in this process, over real parts: register a version, run passes until something holds."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import redis
from mlflow import MlflowClient

from contract import catalog as catalogs
from contract import keys
from contract.catalog import Catalog, ServedModel
from contract.deployment import Deployment
from sync import journal
from sync.assembly import Parts, assemble
from sync.config import Config
from sync.registering import Order, Registered, register
from sync.triton import Triton
from sync.watch import Bell
from tests import launch
from tests.sync import models

LIMIT_S = 60.0


@dataclass(slots=True)
class Rig:
    """One model's way from MLflow to Triton, by hand.

    Attributes:
        name: the model; no other test uses it.
        home: sync's home.
        last_number: for tests that count the versions they register.
    """

    name: str
    home: Path
    mlflow_uri: str
    redis_url: str
    triton: launch.Triton
    options: dict[str, Any] = field(default_factory=dict)
    last_number: int = 0
    _parts: Parts | None = None

    @property
    def client(self) -> MlflowClient:
        """MLflow, as a person uses it."""
        return MlflowClient(self.mlflow_uri, self.mlflow_uri)

    @property
    def config(self) -> Config:
        """The options that sync runs with here: quick to let go, this model only."""
        config = Config(
            home=self.home,
            mlflow_uri=self.mlflow_uri,
            redis_url=self.redis_url,
            model_repository=str(self.triton.repository),
            staging=self.home / "staging",
            triton_http=(self.triton.http,),
            sync_port=0,
            models=(self.name,),
            poll_s=0.05,
            versions_s=0.0,
            max_batch_size=4,
            instances=1,
            threads=1,
            drain_s=0.0,
            unalias_s=0.0,
            preflight_timeout_s=60.0,
        )
        return msgspec.structs.replace(config, **self.options)

    @property
    def parts(self) -> Parts:
        """sync's parts, put together and started at first use."""
        if self._parts is None:
            self._parts = assemble(self.config, Bell())
            self._parts.watch.reconciler.start()
            self._parts.inbox.start()
        return self._parts

    def stop(self) -> None:
        """End this sync, as SIGTERM does; the next use starts another on the same home."""
        if self._parts is not None:
            parts, self._parts = self._parts, None
            parts.watch.bell.stop()
            parts.inbox.stop()
            parts.watch.reconciler.work.jobs.close()
            parts.watch.reconciler.feed.close()
            parts.records.close()

    def register(self, seed: int = 0, *aliases: str, **fields: Any) -> Registered:
        """Register a localiser through `fixgate register`'s own code."""
        path = self.home / f"{self.name}-{seed}.onnx"
        order = Order(
            models.save(path, seed), self.name, models.CONTRACT, aliases=aliases, max_batch_size=4, **fields
        )
        return register(order, self.mlflow_uri)

    def register_files(self, model: onnx.ModelProto | bytes, *aliases: str, **files: bytes) -> int:
        """Register whatever these files are, unchecked, as any other tool could; the version's number."""
        run = self.client.create_run("0")
        folder = self.home / "raw"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "model.onnx").write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        for name, content in files.items():
            (folder / name).write_bytes(content)
        self.client.log_artifacts(run.info.run_id, str(folder), "model")
        return self.add_version(f"{run.info.artifact_uri}/model", run.info.run_id, *aliases)

    def add_version(self, source: str, run_id: str, *aliases: str) -> int:
        """Register a version with this source."""
        if not self.client.search_registered_models(f"name = '{self.name}'"):
            self.client.create_registered_model(self.name, tags={"fixgate.contract": contract_json()})
        version = self.client.create_model_version(self.name, source, run_id)
        for alias in aliases:
            self.client.set_registered_model_alias(self.name, alias, version.version)
        return int(version.version)

    def alias(self, name: str, number: int) -> None:
        """Move an alias in the registry."""
        self.client.set_registered_model_alias(self.name, name, str(number))

    def tags(self, number: int) -> dict[str, str]:
        """A version's tags."""
        return dict(self.client.get_model_version(self.name, str(number)).tags)

    def run_until(self, holds: Callable[[], bool], what: str = "") -> None:
        """Run passes until something holds."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            watch = self.parts.watch
            watch.step()
            if holds():
                return
            report = watch.last
            assert time.monotonic() < deadline, (what, report and report.seen.problems, self.journal())
            watch.bell.wait(0.05)

    def settle(self) -> None:
        """Run passes until nothing is left to do."""
        self.run_until(lambda: (last := self.parts.watch.last) is not None and last.idle, "settled")

    @property
    def served(self) -> ServedModel | None:
        """The model as the gateways are told."""
        catalog = self.catalog
        return catalog.models.get(self.name) if catalog else None

    @property
    def catalog(self) -> Catalog | None:
        """The catalogue in Redis."""
        with redis.Redis.from_url(self.redis_url) as client:
            document = client.get(keys.CATALOG)
        return catalogs.parse(document) if isinstance(document, bytes) else None

    @property
    def champion(self) -> int | None:
        """The champion as the gateways are told."""
        return self.served.aliases.get("champion") if self.served else None

    @property
    def numbers(self) -> list[int]:
        """Versions that the gateways are told of."""
        return [one.version for one in self.served.versions] if self.served else []

    def ready(self) -> list[int]:
        """Versions that Triton reports ready."""
        states = Triton(self.triton.http).states()
        return sorted(number for (name, number), one in states.items() if name == self.name and one.ready)

    def answer(self, number: int) -> list[float]:
        """Latitude and longitude that Triton answers for zeros."""
        zeros = np.zeros((1, *models.SHAPE), np.float32)
        answers = Triton(self.triton.http).infer(
            self.name, number, {"mel_spectrogram": zeros}, ("positions",)
        )
        position: list[float] = answers["positions"][0].tolist()
        return position

    def journal(self, event: str | None = None) -> list[Deployment]:
        """The journal, of one event or of all."""
        return [one for one in journal.read(self.home / "journal.jsonl") if event in (None, one.event)]


def contract_json() -> str:
    """The contract of every model made by `models`."""
    return msgspec.json.encode(models.CONTRACT).decode()


@contextmanager
def rig(name: str, home: Path, mlflow_uri: str, redis_url: str, triton: launch.Triton) -> Iterator[Rig]:
    """A rig; afterwards what it put into the repository is out again."""
    made = Rig(name, home, mlflow_uri, redis_url, triton)
    try:
        yield made
    finally:
        made.stop()
        for folder in triton.repository.iterdir():
            gone = triton.staging / f"gone-{folder.name}"
            folder.rename(gone)
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink()


def again(made: Rig, **options: Any) -> Rig:
    """The same rig with other options, as after a restart."""
    made.stop()
    return replace(made, options={**made.options, **options}, _parts=None)
