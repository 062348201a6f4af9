"""Make a version ready in staging: download, prove, and lay out its folder as Triton will serve it.

These are steps 1 to 3 of publishing; nothing here touches the repository.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol

from contract.catalog import TensorSpec
from sync import jobs, mlmodel, preflight, record
from sync.desired import RegisteredVersion, WantedVersion
from sync.errors import Refused, RepositoryUnavailable
from sync.preflight import Finding, Task
from sync.publication import Stopped
from sync.record import Record
from sync.settings import Settings

SPARE_BYTES = 64 << 20

Interface = tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]


class Source(Protocol):
    """Where a version's files come from."""

    def download(
        self, version: RegisteredVersion, folder: Path, progress: Callable[[int, int], None], /
    ) -> None: ...

    def run_metrics(self, run_id: str | None) -> dict[str, float]: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What preflight may use."""

    timeout_s: float
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Staged:
    """A version that is ready to be published: its folder in staging and its record."""

    folder: Path
    record: Record
    settings: Settings


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made ready, and the terms: the model's tags and settings, the interface of the versions
    already served, what preflight may use."""

    wanted: WantedVersion
    model_tags: Mapping[str, str]
    settings: Settings
    served: Interface | None
    limits: Limits


def stage(source: Source, order: Order, folder: Path, progress: Callable[[int, int], None]) -> Staged:
    """Download a version into `folder`, prove it, lay it out; on failure the folder is gone again.

    Raises:
        Refused: the version's own fault.
        Unavailable: not now.
        Stopped: the process is stopping.
    """
    try:
        return _stage(source, order, folder, progress)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if jobs.ending().is_set():
            raise Stopped from error
        if isinstance(error, OSError):
            version = order.wanted.version
            label = f"staging {version.model} version {version.number}"
            raise RepositoryUnavailable(f"{label}: {error}") from error
        raise


def _stage(source: Source, order: Order, folder: Path, progress: Callable[[int, int], None]) -> Staged:
    version = order.wanted.version
    files = folder / "artifacts"
    files.mkdir(parents=True)
    jobs.apart(partial(source.download, version, files, _watching(folder, progress)))
    package = mlmodel.read(files)
    finding = _prove(files, package, order, folder)
    target = _lay_out(files, package, finding, folder)
    built = _record(target, package, finding, version, source.run_metrics(version.run_id))
    (target / record.NAME).write_bytes(record.dump(built))
    shutil.rmtree(files)
    return Staged(target, built, order.settings)


def _watching(folder: Path, progress: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """What sees between two files whether the download may go on."""

    def watch(done: int, total: int) -> None:
        jobs.check()
        free = shutil.disk_usage(folder).free
        if total - done + SPARE_BYTES > free:
            raise RepositoryUnavailable(
                f"disk full: {(total - done) >> 20} MB to download, {free >> 20} MB free in staging"
            )
        progress(done, total)

    return watch


def _prove(files: Path, package: mlmodel.Package, order: Order, folder: Path) -> Finding:
    size = sum(path.stat().st_size for path in files.rglob("*") if path.is_file())
    return preflight.run(
        Task(
            model=str(files / package.model_file),
            result=str(folder / "finding.json"),
            proof=str(folder / record.PROOF),
            max_batch_size=order.settings.max_batch_size,
            threads=order.settings.threads,
            memory_bytes=preflight.memory_limit(order.limits.memory_mb, size),
            timeout_s=order.limits.timeout_s,
            version_tags=dict(order.wanted.version.tags),
            model_tags=dict(order.model_tags),
            metadata_contract=package.contract,
            served=order.served,
            example=str(files / package.example) if package.example else None,
            expected=str(files / package.expected) if package.expected else None,
        )
    )


def _lay_out(files: Path, package: mlmodel.Package, finding: Finding, folder: Path) -> Path:
    """The version's folder: the graph as `model.onnx`, its data where the graph looks for it, the proof."""
    target = folder / "version"
    target.mkdir()
    base = files / PurePosixPath(package.model_file).parent
    os.rename(files / package.model_file, target / record.MODEL_FILE)
    for name in finding.external:
        if name in (record.MODEL_FILE, record.NAME, record.PROOF):
            raise Refused("external_data", f"external data may not be named {name!r}")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        os.rename(base / name, target / name)
    os.rename(folder / record.PROOF, target / record.PROOF)
    return target


def _record(
    target: Path,
    package: mlmodel.Package,
    finding: Finding,
    version: RegisteredVersion,
    metrics: dict[str, float],
) -> Record:
    digests = record.file_digests(target, (record.MODEL_FILE, *finding.external))
    return Record(
        schema=1,
        model=version.model,
        version=version.number,
        digest=record.digest(digests),
        origin=version.origin,
        created_at=version.created_at,
        files=digests,
        inputs=finding.inputs,
        outputs=finding.outputs,
        contract=finding.contract,
        metadata_contract=package.contract,
        run_id=version.run_id,
        metrics=metrics,
        latency_ms=finding.latency_ms,
    )
