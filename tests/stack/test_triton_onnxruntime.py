"""The `onnxruntime` backend, asked through a real Triton."""

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import tritonclient.grpc as triton_grpc
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from stack import process
from stack.triton_server import SHARED_MEMORY, shared_memory_prefix
from tests.launch import Triton

PATIENCE_S = 60.0

TYPES: dict[str, tuple[int, NDArray[np.generic]]] = {
    "BOOL": (TensorProto.BOOL, np.array([[True, False]])),
    "UINT8": (TensorProto.UINT8, np.array([[0, 255]], np.uint8)),
    "UINT16": (TensorProto.UINT16, np.array([[0, 65_535]], np.uint16)),
    "UINT32": (TensorProto.UINT32, np.array([[0, 2**32 - 1]], np.uint32)),
    "UINT64": (TensorProto.UINT64, np.array([[0, 2**64 - 1]], np.uint64)),
    "INT8": (TensorProto.INT8, np.array([[-128, 127]], np.int8)),
    "INT16": (TensorProto.INT16, np.array([[-32_768, 32_767]], np.int16)),
    "INT32": (TensorProto.INT32, np.array([[-(2**31), 2**31 - 1]], np.int32)),
    "INT64": (TensorProto.INT64, np.array([[-(2**63), 2**63 - 1]], np.int64)),
    "FP16": (TensorProto.FLOAT16, np.array([[-0.5, 65_504]], np.float16)),
    "FP32": (TensorProto.FLOAT, np.array([[-0.1, 3.4e38]], np.float32)),
    "FP64": (TensorProto.DOUBLE, np.array([[-0.1, 1.7e308]], np.float64)),
    "STRING": (TensorProto.STRING, np.array([["", "Torino ↔ Genova"]], np.object_)),
}


@dataclass(frozen=True)
class Model:
    """One model folder: the file's bytes (None: no file) and the config around its tensors."""

    content: bytes | None
    inputs: dict[str, tuple[str, list[int]]]
    outputs: dict[str, tuple[str, list[int]]]
    max_batch_size: int = 8
    parameters: dict[str, str] = field(default_factory=dict)
    extra: str = ""

    def config(self) -> str:
        tensors = [
            f'{direction} [{{ name: "{name}" data_type: TYPE_{kind} dims: {dims} }}]'
            for direction, those in (("input", self.inputs), ("output", self.outputs))
            for name, (kind, dims) in those.items()
        ]
        settings = [
            f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'
            for key, value in self.parameters.items()
        ]
        fixed = [
            'backend: "onnxruntime"',
            f"max_batch_size: {self.max_batch_size}",
            "instance_group [{ count: 1 kind: KIND_CPU }]",
        ]
        return "\n".join([*fixed, *tensors, *settings, self.extra])


def graph(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[int, list[str | int]]],
    outputs: dict[str, tuple[int, list[str | int]]],
) -> bytes:
    """A serialised ONNX model."""
    takes, gives = (
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in those.items()]
        for those in (inputs, outputs)
    )
    made = helper.make_model(
        helper.make_graph(nodes, "g", takes, gives), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.checker.check_model(made)
    serialised: bytes = made.SerializeToString()
    return serialised


def identity(kind: int = TensorProto.FLOAT, shape: tuple[str | int, ...] = ("n", 2)) -> bytes:
    """x → y, the same."""
    node = helper.make_node("Identity", ["x"], ["y"])
    return graph([node], {"x": (kind, list(shape))}, {"y": (kind, list(shape))})


def every_type() -> Model:
    """One input and one output of every type; the outputs' names are not in the inputs' order."""
    nodes = [helper.make_node("Identity", [f"in_{name}"], [f"{name}_out"]) for name in TYPES]
    return Model(
        content=graph(
            nodes,
            {f"in_{name}": (kind, ["n", "m"]) for name, (kind, _) in TYPES.items()},
            {f"{name}_out": (kind, ["n", "m"]) for name, (kind, _) in TYPES.items()},
        ),
        inputs={f"in_{name}": (name, [-1]) for name in TYPES},
        outputs={f"{name}_out": (name, [-1]) for name in TYPES},
    )


def counting() -> Model:
    """`rows`: how many rows ONNX Runtime saw in the call that this row was in; `x2`: 2·x."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"], start=0, end=1),
        helper.make_node("Mul", ["x", "zero"], ["zeros"]),
        helper.make_node("Cast", ["shape"], ["count"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["zeros", "count"], ["rows"]),
        helper.make_node("Add", ["x", "x"], ["x2"]),
        helper.make_node("Constant", [], ["zero"], value_float=0.0),
    ]
    order = [5, 0, 1, 2, 3, 4]
    shape: tuple[int, list[str | int]] = (TensorProto.FLOAT, ["n", 1])
    return Model(
        content=graph([nodes[i] for i in order], {"x": shape}, {"rows": shape, "x2": shape}),
        inputs={"x": ("FP32", [1])},
        outputs={"rows": ("FP32", [1]), "x2": ("FP32", [1])},
        extra="dynamic_batching { preferred_batch_size: [6] max_queue_delay_microseconds: 60000000 }",
    )


def text() -> Model:
    """Strings, four requests at a time."""
    return Model(
        content=identity(TensorProto.STRING, ("n", 1)),
        inputs={"x": ("STRING", [1])},
        outputs={"y": ("STRING", [1])},
        extra="dynamic_batching { preferred_batch_size: [4] max_queue_delay_microseconds: 60000000 }",
    )


def unbatched() -> Model:
    """No batch axis; a scalar output."""
    nodes = [helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0)]
    x: tuple[int, list[str | int]] = (TensorProto.FLOAT, [2, 3])
    return Model(
        content=graph(nodes, {"x": x}, {"sum": (TensorProto.FLOAT, [])}),
        inputs={"x": ("FP32", [2, 3])},
        outputs={"sum": ("FP32", [1])},
        max_batch_size=0,
    )


def plain(**changes: object) -> Model:
    """x → y float32 (n, 2), with changes."""
    fields = {"content": identity(), "inputs": {"x": ("FP32", [2])}, "outputs": {"y": ("FP32", [2])}}
    return Model(**{**fields, **changes})  # type: ignore[arg-type]


SERVED = {
    "backend_every_type": every_type(),
    "backend_counting": counting(),
    "backend_text": text(),
    "backend_unbatched": unbatched(),
    "backend_one_thread": plain(parameters={"intra_op_thread_count": "1"}),
    "backend_four_threads": plain(parameters={"intra_op_thread_count": "4"}),
    "backend_parallel": plain(
        parameters={"intra_op_thread_count": "1", "inter_op_thread_count": "3", "execution_mode": "1"}
    ),
    "backend_options": plain(
        parameters={"enable_mem_arena": "0", "enable_mem_pattern": "FALSE", "no_such_key": "passed over"},
        extra='default_model_filename: "model.onnx" optimization { graph { level: 2 } }',
    ),
}

REFUSED = {
    "no_file": (plain(content=None), "unable to find"),
    "not_onnx": (plain(content=b"not a protobuf"), "ONNX Runtime cannot read"),
    "threads": (
        plain(parameters={"intra_op_thread_count": "two"}),
        "parameter 'intra_op_thread_count' must be a whole number, got 'two'",
    ),
    "inter_threads": (
        plain(parameters={"inter_op_thread_count": "1.5"}),
        "parameter 'inter_op_thread_count' must be a whole number, got '1.5'",
    ),
    "mode": (plain(parameters={"execution_mode": "2"}), "parameter 'execution_mode' must be 0 or 1, got 2"),
    "arena": (plain(parameters={"enable_mem_arena": "yes"}), "parameter 'enable_mem_arena' must be true"),
    "pattern": (plain(parameters={"enable_mem_pattern": "2"}), "parameter 'enable_mem_pattern' must be true"),
    "input_name": (plain(inputs={"z": ("FP32", [2])}), "configured inputs ['z'], but the model has ['x']"),
    "output_name": (plain(outputs={"z": ("FP32", [2])}), "configured output 'z', but the model has ['y']"),
    "data_type": (
        plain(inputs={"x": ("INT32", [2])}),
        "input 'x' is configured as TYPE_INT32, but is TYPE_FP32",
    ),
    "input_shape": (plain(inputs={"x": ("FP32", [3])}), "input 'x' is configured with shape [-1, 3]"),
    "output_shape": (plain(outputs={"y": ("FP32", [-1])}), "output 'y' is configured with shape [-1, -1]"),
    "fixed_batch": (
        plain(content=identity(shape=(4, 2))),
        "input 'x' is configured with shape [-1, 2] (batch axis included), but has [4, 2]",
    ),
    "bfloat16": (
        plain(content=identity(TensorProto.BFLOAT16)),
        "tensor(bfloat16), which Triton cannot carry",
    ),
}


@pytest.fixture(scope="module")
def client(triton: Triton) -> Iterator[triton_grpc.InferenceServerClient]:
    """A client, once every model of `SERVED` is ready."""
    for name, model in SERVED.items():
        publish(triton, name, model)
    with triton_grpc.InferenceServerClient(triton.grpc) as made:
        try:
            for name in SERVED:
                wait_for(partial(made.is_model_ready, name, "1"), name, triton)
            yield made
        finally:
            for name in SERVED:
                shutil.rmtree(triton.repository / name)


@pytest.fixture(scope="module")
def reasons(triton: Triton) -> dict[str, str]:
    """Why Triton did not load each of `REFUSED`."""
    for name, (model, _) in REFUSED.items():
        publish(triton, f"refused_{name}", model)

    def found() -> dict[str, str]:
        index = made.get_model_repository_index(as_json=True)["models"]
        return {one["name"].removeprefix("refused_"): one.get("reason", "") for one in index}

    with triton_grpc.InferenceServerClient(triton.grpc) as made:
        try:
            wait_for(lambda: all(found().get(name) for name in REFUSED), "the reasons", triton)
            return found()
        finally:
            for name in REFUSED:
                shutil.rmtree(triton.repository / f"refused_{name}")


def publish(triton: Triton, name: str, model: Model) -> None:
    """Put the model's folder into the repository at once."""
    staged = triton.staging / name
    (staged / "1").mkdir(parents=True)
    (staged / "config.pbtxt").write_text(model.config())
    if model.content is not None:
        (staged / "1" / "model.onnx").write_bytes(model.content)
    staged.rename(triton.repository / name)


def wait_for(condition: Callable[[], object], what: str, triton: Triton) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, (
            f"waited for {what}; Triton's log ends with\n{process.tail(triton.log, 40)}"
        )
        time.sleep(0.1)


def ask(
    client: triton_grpc.InferenceServerClient,
    model: str,
    inputs: dict[str, NDArray[np.generic]],
    outputs: list[str] | None = None,
) -> dict[str, NDArray[np.generic]]:
    """Infer; all outputs unless some are asked for."""
    given = []
    for name, array in inputs.items():
        datatype = "BYTES" if array.dtype == np.object_ else np_to_triton_dtype(array.dtype)
        tensor = triton_grpc.InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array)
        given.append(tensor)
    wanted = [triton_grpc.InferRequestedOutput(name) for name in outputs] if outputs else None
    result = client.infer(model, given, outputs=wanted, client_timeout=PATIENCE_S)
    return {one.name: result.as_numpy(one.name) for one in result.get_response().outputs}


def stub_threads(name: str) -> int:
    """Threads of the process in which the model's one instance runs."""
    [found] = [
        entry
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and f"/{name}/1/model.onnx".encode() in (entry / "cmdline").read_bytes()
    ]
    return len(list((found / "task").iterdir()))


def test_every_data_type_comes_back_as_it_went(client: triton_grpc.InferenceServerClient) -> None:
    sent = {f"in_{name}": np.repeat(value, 3, axis=0) for name, (_, value) in TYPES.items()}
    got = ask(client, "backend_every_type", sent)
    assert sorted(got) == sorted(f"{name}_out" for name in TYPES)
    for name in TYPES:
        back = got[f"{name}_out"]
        if name == "STRING":
            back = np.vectorize(bytes.decode, otypes=[object])(back)
        else:
            assert back.dtype == sent[f"in_{name}"].dtype
        np.testing.assert_array_equal(back, sent[f"in_{name}"], err_msg=name)


def test_only_the_outputs_asked_for_are_answered(client: triton_grpc.InferenceServerClient) -> None:
    sent = {f"in_{name}": value for name, (_, value) in TYPES.items()}
    assert list(ask(client, "backend_every_type", sent, ["INT8_out"])) == ["INT8_out"]


def test_requests_that_come_together_are_one_run(client: triton_grpc.InferenceServerClient) -> None:
    rows = [np.full((size, 1), value, np.float32) for value, size in ((1, 1), (2, 2), (3, 3))]
    outputs = [["x2", "rows"], ["rows"], None]
    with ThreadPoolExecutor(3) as pool:
        calls = [
            pool.submit(ask, client, "backend_counting", {"x": x}, some)
            for x, some in zip(rows, outputs, strict=True)
        ]
        got = [call.result() for call in calls]
    for sent, answered in zip(rows, got, strict=True):
        np.testing.assert_array_equal(answered["rows"], np.full_like(sent, 6))
    assert "x2" not in got[1]
    np.testing.assert_array_equal(got[0]["x2"], 2 * rows[0])
    np.testing.assert_array_equal(got[2]["x2"], 2 * rows[2])


def test_a_wrong_request_does_not_fail_the_others_of_its_batch(
    client: triton_grpc.InferenceServerClient,
) -> None:
    words = [b"Torino", b"\xff\xfe", b"Genova", b"Milano"]

    def one(word: bytes) -> object:
        try:
            return ask(client, "backend_text", {"x": np.array([[word]], np.object_)})["y"][0, 0]
        except InferenceServerException as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        first, second, third, fourth = pool.map(one, words)
    assert [first, third, fourth] == [b"Torino", b"Genova", b"Milano"]
    assert "input 'x': not UTF-8" in str(second)


def test_a_model_without_batch_axis_and_a_scalar_output(client: triton_grpc.InferenceServerClient) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(ask(client, "backend_unbatched", {"x": x})["sum"], [15.0])


def test_thread_counts_are_honoured(client: triton_grpc.InferenceServerClient) -> None:
    alone = stub_threads("backend_one_thread")
    assert stub_threads("backend_four_threads") - alone == 3
    assert stub_threads("backend_parallel") > alone


def test_options_and_unknown_keys_do_not_keep_a_model_from_serving(
    client: triton_grpc.InferenceServerClient,
) -> None:
    x = np.array([[1, 2]], np.float32)
    np.testing.assert_array_equal(ask(client, "backend_options", {"x": x})["y"], x)


def test_metadata_names_the_platform_of_the_c_backend(client: triton_grpc.InferenceServerClient) -> None:
    assert client.get_model_metadata("backend_options").platform == "onnxruntime_onnx"


def test_the_shared_memory_of_every_instance_can_be_told_by_its_name(
    client: triton_grpc.InferenceServerClient, triton: Triton
) -> None:
    prefix = shared_memory_prefix(triton.repository.parent)
    assert len(list(SHARED_MEMORY.glob(f"{prefix}*"))) >= len(SERVED)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_served_is_refused_with_its_reason(reasons: dict[str, str], name: str) -> None:
    assert REFUSED[name][1] in reasons[name]
