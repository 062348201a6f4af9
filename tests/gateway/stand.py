"""Tiny models for the gateway's tests: their graphs, how Triton gets them, how the catalogue names them."""

import io
import shutil
import time
from dataclasses import dataclass
from typing import Any

import grpc
import msgspec
import numpy as np
import onnx
import onnxruntime
import redis
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tritonclient.grpc import service_pb2, service_pb2_grpc

from contract import catalog as catalogs
from contract import keys
from contract.catalog import Catalog, RoutePolicy, ServedModel, ServedVersion, TensorSpec
from contract.model import ModelContract, parse
from tests.launch import Triton

FRONTEND = {
    "sample_rate_hz": 48_000,
    "n_fft": 64,
    "hop": 32,
    "n_mels": 8,
    "f_min_hz": 0,
    "f_max_hz": 24_000,
    "frames": 4,
}
OUTPUT = {
    "position": {"tensor": "positions", "order": ["latitude", "longitude"]},
    "uncertainty": {
        "tensor": "uncertainties",
        "kind": "sigma_rho",
        "units": "metres",
        "order": ["north", "east"],
    },
    "confidence_radius_m": 1000,
}
MAX_BATCH = 8


@dataclass(frozen=True)
class Model:
    """One version: its bytes, its contract, a row's input shape."""

    name: str
    version: int
    onnx: bytes
    contract: ModelContract
    shape: tuple[int, ...]

    def run(self, rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Positions and uncertainties, by onnxruntime alone."""
        session = onnxruntime.InferenceSession(self.onnx, providers=["CPUExecutionProvider"])
        tensor = self.contract.input.tensor
        positions, uncertainties = session.run(["positions", "uncertainties"], {tensor: rows})
        return positions, uncertainties

    def served(self, **changes: Any) -> ServedVersion:
        """The catalogue's entry."""
        version = ServedVersion(
            version=self.version,
            digest=f"{self.version:064x}",
            contract=self.contract,
            sigma_scale=1.0,
            max_batch_size=MAX_BATCH,
            inputs=(TensorSpec(self.contract.input.tensor, "FP32", self.shape),),
            outputs=(TensorSpec("positions", "FP32", (2,)), TensorSpec("uncertainties", "FP32", (3,))),
            served_since=1_700_000_000.0,
            created_at=1_690_000_000.0,
            run_id="run",
            metrics={"accuracy": 0.9},
        )
        return msgspec.structs.replace(version, **changes)


def mel_model(name: str, version: int) -> Model:
    """IQ of three receivers: a random affine map of the spectrogram about 45° N 9° E."""
    size = 3 * FRONTEND["n_mels"] * FRONTEND["frames"]
    rng = np.random.default_rng(version)
    contract = parse(
        {"schema": 1, "input": {"tensor": "x", "kind": "mel", "receivers": 3, "frontend": FRONTEND},
         "output": OUTPUT}
    )  # fmt: skip
    weights = rng.normal(size=(size, 5)).astype(np.float32) / size
    return Model(name, version, _graph((3, 8, 4), weights), contract, (3, 8, 4))


def iq_model(name: str) -> Model:
    """IQ of two receivers of any length: positions from the mean of I and Q."""
    contract = parse(
        {"schema": 1,
         "input": {"tensor": "x", "kind": "iq", "receivers": 2, "samples": None, "sample_rate_hz": 48_000},
         "output": OUTPUT}
    )  # fmt: skip
    weights = np.random.default_rng(7).normal(size=(4, 5)).astype(np.float32)
    return Model(name, 1, _graph((2, "s", 2), weights, mean_over=2), contract, (2, -1, 2))


def echo_model(name: str) -> Model:
    """The tensor (5) is the answer: latitude, longitude, σ north, σ east, ρ; so a test can say what."""
    contract = parse({"schema": 1, "input": {"tensor": "x", "kind": "tensor"}, "output": OUTPUT})
    return Model(name, 1, _echo_graph(), contract, (5,))


def _graph(shape: tuple[int | str, ...], weights: NDArray[np.float32], mean_over: int | None = None) -> bytes:
    nodes = []
    entry = "x"
    if mean_over is not None:
        nodes.append(helper.make_node("ReduceMean", ["x"], ["mean"], axes=[mean_over], keepdims=0))
        entry = "mean"
    nodes += [
        helper.make_node("Flatten", [entry], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["five"]),
        helper.make_node("Tanh", ["five"], ["bounded"]),
        helper.make_node("Mul", ["bounded", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "centre"], ["all"]),
        helper.make_node("Split", ["all", "parts"], ["positions", "uncertainties"], axis=1),
    ]
    constants: dict[str, NDArray[Any]] = {
        "weights": weights,
        "scale": np.array([1, 1, 400, 400, 0.9], np.float32),
        "centre": np.array([45, 9, 1000, 1000, 0], np.float32),
        "parts": np.array([2, 3], np.int64),
    }
    return _model(nodes, shape, constants)


def _echo_graph() -> bytes:
    split = helper.make_node("Split", ["x", "parts"], ["positions", "uncertainties"], axis=1)
    return _model([split], (5,), {"parts": np.array([2, 3], np.int64)})


def _model(nodes: list[Any], shape: tuple[int | str, ...], constants: dict[str, NDArray[Any]]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", *shape))],
        [
            helper.make_tensor_value_info("positions", TensorProto.FLOAT, ("n", 2)),
            helper.make_tensor_value_info("uncertainties", TensorProto.FLOAT, ("n", 3)),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def publish(triton: Triton, *versions: Model) -> None:
    """Make Triton serve these versions of one model, and wait until it does."""
    first = versions[0]
    staged = triton.staging / first.name
    for model in versions:
        folder = staged / str(model.version)
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(model.onnx)
    (staged / "config.pbtxt").write_text(_config(first, [model.version for model in versions]))
    staged.rename(triton.repository / first.name)
    until = time.monotonic() + 60
    while not all(version_ready(triton, model.name, model.version) for model in versions):
        if time.monotonic() > until:
            raise TimeoutError(triton.log.read_text(errors="replace")[-3000:])
        time.sleep(0.1)


def serve_only(triton: Triton, *versions: Model) -> None:
    """Let Triton load these versions of a published model, and unload the others, in its own time."""
    first = versions[0]
    staged = triton.staging / f"{first.name}.pbtxt"
    staged.write_text(_config(first, [model.version for model in versions]))
    staged.rename(triton.repository / first.name / "config.pbtxt")


def withdraw(triton: Triton, name: str) -> None:
    """Take a model out of Triton's repository, and wait until it is unloaded."""
    shutil.rmtree(triton.repository / name)
    until = time.monotonic() + 60
    while version_ready(triton, name, 1):
        if time.monotonic() > until:
            raise TimeoutError(name)
        time.sleep(0.1)


def version_ready(triton: Triton, name: str, version: int) -> bool:
    """Whether Triton reports this version ready."""
    with grpc.insecure_channel(triton.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        try:
            answer = stub.ModelReady(
                service_pb2.ModelReadyRequest(name=name, version=str(version)), timeout=5
            )
        except grpc.RpcError:
            return False
        return bool(answer.ready)


def _config(model: Model, versions: list[int]) -> str:
    dims = list(model.shape)
    return f"""
name: "{model.name}"
backend: "onnxruntime"
max_batch_size: {MAX_BATCH}
input {{ name: "{model.contract.input.tensor}" data_type: TYPE_FP32 dims: {dims} }}
output {{ name: "positions" data_type: TYPE_FP32 dims: [2] }}
output {{ name: "uncertainties" data_type: TYPE_FP32 dims: [3] }}
dynamic_batching {{ }}
version_policy {{ specific {{ versions: {versions} }} }}
parameters {{ key: "intra_op_thread_count" value {{ string_value: "1" }} }}
"""


def served_model(*versions: ServedVersion, name: str, routing: RoutePolicy | None = None) -> ServedModel:
    """A model whose first version is the champion, its second the candidate."""
    aliases = dict(zip(("champion", "candidate"), (one.version for one in versions), strict=False))
    ordered = tuple(sorted(versions, key=lambda one: one.version))
    return ServedModel(name=name, versions=ordered, aliases=aliases, routing=routing)


def catalogue(*models: ServedModel, revision: int = 1, default: str | None = None) -> Catalog:
    """A catalogue of these models; the first is the default."""
    return Catalog(
        schema=f"{catalogs.MAJOR}.{catalogs.MINOR}",
        revision=revision,
        written_at=time.time(),
        models={model.name: model for model in models},
        default_model=default or models[0].name,
    )


def announce(redis_url: str, catalog: Catalog | bytes, revision: int = 0) -> None:
    """Publish a catalogue as sync does."""
    document = catalog if isinstance(catalog, bytes) else catalogs.dump(catalog)
    with redis.Redis.from_url(redis_url) as client:
        client.set(keys.CATALOG, document)
        client.publish(keys.CATALOG, str(revision))


def iq(seed: int, *, receivers: int = 3, samples: int = 400) -> NDArray[np.complex64]:
    """A recording."""
    rng = np.random.default_rng(seed)
    both = rng.normal(size=(2, receivers, samples)) * 0.1
    recording: NDArray[np.complex64] = (both[0] + 1j * both[1]).astype(np.complex64)
    return recording


def npy(array: NDArray[Any]) -> bytes:
    """An array as an npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
