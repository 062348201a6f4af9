"""Register an ONNX file in MLflow, 2.x or 3.x, the way sync likes it: proved first, then uploaded with input
example, signature, contract and expected outputs."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray
from requests.exceptions import RequestException

from contract import model as contracts
from contract.catalog import TensorSpec
from contract.cpu import cores
from sync import desired, mlmodel, onnx_flavour, preflight, registry
from sync.errors import Refused, RegistryUnavailable
from sync.preflight import Finding, Task
from sync.repository import TRIAL_PREFIX

EXPERIMENT = "fixgate"
FOLDER = "model"
NUMPY = {"FP32": np.float32, "FP64": np.float64, "FP16": np.float16, "INT64": np.int64, "INT32": np.int32}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be registered, and how."""

    model: Path
    name: str
    contract: Mapping[str, Any] | None = None
    example: Path | None = None
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    description: str | None = None
    max_batch_size: int = 32
    timeout_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Registered:
    """What was registered. `contract` is the effective one, be it given or inferred."""

    name: str
    version: int
    run_id: str
    source: str
    aliases: tuple[str, ...]
    contract: Mapping[str, Any]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    latency_ms: Mapping[str, float]


def register(order: Order, uri: str) -> Registered:
    """Check the model and its contract, then upload and register it.

    Raises:
        Refused: sync would refuse this version; nothing has been uploaded.
        RegistryUnavailable: MLflow does not answer or refuses.
        Unavailable: the trial was killed.
    """
    if not desired.safe_name(order.name):
        raise Refused(
            "name",
            f"name {order.name!r}: letters, digits, '.', '_', '-', at most 200, the first a letter or digit",
        )
    if order.name.startswith(TRIAL_PREFIX):
        raise Refused("name", f"name {order.name!r}: {TRIAL_PREFIX}* are copies that `fixgate tune` makes")
    with tempfile.TemporaryDirectory(prefix="fixgate-register-") as scratch:
        folder = Path(scratch)
        finding, rows, answers = _prove(order, folder)
        _save(order, finding, rows, answers, folder / FOLDER)
        try:
            return _upload(order, finding, folder / FOLDER, uri)
        except (MlflowException, RequestException) as error:
            raise RegistryUnavailable(
                f"MLflow at {registry.without_credentials(uri)}: {registry.short(error)}"
            ) from error


def _prove(order: Order, folder: Path) -> tuple[Finding, NDArray[np.float32], dict[str, NDArray[np.generic]]]:
    """Preflight as sync will do it; also the rows it used, the example's first, and their answers."""
    given = None if order.contract is None else contracts.dump(_parse(dict(order.contract)))
    size = sum(path.stat().st_size for path in order.model.parent.iterdir() if path.is_file())
    finding = preflight.run(
        Task(
            model=str(order.model.absolute()),
            result=str(folder / "finding.json"),
            proof=str(folder / "proof.npz"),
            max_batch_size=order.max_batch_size,
            threads=cores(),
            memory_bytes=preflight.memory_limit(0, size),
            timeout_s=order.timeout_s,
            metadata_contract=given,
            version_tags=dict(order.tags),
            example=str(order.example.absolute()) if order.example else None,
        )
    )
    with np.load(folder / "proof.npz", allow_pickle=False) as arrays:
        rows = arrays[f"in:{finding.inputs[0].name}"]
        answers = {one.name: arrays[f"out:{one.name}"] for one in finding.outputs}
    return finding, rows, answers


def _parse(document: dict[str, Any]) -> contracts.ModelContract:
    try:
        return contracts.parse(document)
    except contracts.ContractError as error:
        raise Refused("contract", str(error)) from error


def _save(
    order: Order,
    finding: Finding,
    rows: NDArray[np.float32],
    answers: Mapping[str, NDArray[np.generic]],
    folder: Path,
) -> None:
    onnx_flavour.save_model(
        onnx.load(order.model),
        str(folder),
        signature=onnx_flavour.ModelSignature(
            inputs=_schema(finding.inputs), outputs=_schema(finding.outputs)
        ),
        input_example=rows[:1],
        metadata={mlmodel.CONTRACT_KEY: dict(finding.contract)},
        pip_requirements=["onnx", "onnxruntime"],
    )
    expected = {name: array[:1].tolist() for name, array in answers.items()}
    (folder / mlmodel.EXPECTED).write_text(json.dumps(expected))


def _schema(specs: tuple[TensorSpec, ...]) -> onnx_flavour.Schema:
    return onnx_flavour.Schema(
        [
            onnx_flavour.TensorSpec(np.dtype(NUMPY.get(one.datatype, np.float32)), (-1, *one.shape), one.name)
            for one in specs
        ]
    )


def _upload(order: Order, finding: Finding, folder: Path, uri: str) -> Registered:
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    run = client.create_run(_experiment(client), run_name=f"register {order.name}")
    for key, value in order.metrics.items():
        client.log_metric(run.info.run_id, key, value)
    client.log_artifacts(run.info.run_id, str(folder), FOLDER)
    client.set_terminated(run.info.run_id)
    _ensure_model(client, order.name)
    source = f"{run.info.artifact_uri}/{FOLDER}"
    version = client.create_model_version(
        order.name, source, run.info.run_id, tags=dict(order.tags), description=order.description
    )
    for alias in order.aliases:
        client.set_registered_model_alias(order.name, alias, version.version)
    return Registered(
        name=order.name,
        version=int(version.version),
        run_id=run.info.run_id,
        source=source,
        aliases=order.aliases,
        contract=finding.contract,
        inputs=finding.inputs,
        outputs=finding.outputs,
        latency_ms=finding.latency_ms,
    )


def _experiment(client: MlflowClient) -> str:
    """Runs made by registering stand together, in an experiment of their own."""
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(EXPERIMENT))
    except MlflowException:
        found = client.get_experiment_by_name(EXPERIMENT)  # someone else was faster
        if found is None:
            raise
        return str(found.experiment_id)


def _ensure_model(client: MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
