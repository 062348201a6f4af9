"""The inside of preflight: a process of its own that loads and runs a model which may hang, eat memory or
crash. It sets its own limits first, so that they hold even when its parent is gone."""

import errno
import json
import os
import resource
import signal
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from contract import model as contracts
from contract.catalog import TensorSpec
from contract.model import ModelContract
from sync import agreement, graph
from sync.errors import Refused
from sync.pbtxt import ONNX_TO_TRITON
from sync.preflight import Finding, Task

TOLERANCE = 1e-4
"""Absolute and relative: a batch against its singles, outputs against the logged ones."""

FREE_SAMPLES = 16_384
FREE_AXIS = 64
"""Sizes tried for axes that neither contract nor example fixes."""

PROOF_ROWS = 4
BUDGET_S = 15.0
"""Time for measuring latencies; larger batches are left out when it is spent."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Array = NDArray[Any]


def main() -> None:
    """Read the task from standard input, write the finding to the file it names.

    Ends with EX_TEMPFAIL when there is no room for it: that is not the model's fault.
    """
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    _limit(task)
    try:
        finding = _find(task)
        Path(task.result).write_bytes(msgspec.json.encode(finding))
    except OSError as error:
        if error.errno in NO_ROOM:
            os._exit(os.EX_TEMPFAIL)  # nor is there room for what the interpreter would still write
        raise


def _find(task: Task) -> Finding:
    try:
        return _preflight(task)
    except Refused as refused:
        return Finding(fault=refused.fault, reason=refused.reason)
    except MemoryError:
        return Finding(fault="resources", reason=_out_of_memory(task))


def _limit(task: Task) -> None:
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (task.memory_bytes, task.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cpu = int(task.timeout_s * max(1, task.threads)) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    # The kernel ends this process on time even when it hangs in native code and nobody waits for it.
    signal.setitimer(signal.ITIMER_REAL, task.timeout_s)


def _preflight(task: Task) -> Finding:
    model = Path(task.model)
    external = graph.external_files(model)
    graph.check(model)
    session = _load(model, task)
    inputs, outputs = _interface(session)
    contract = agreement.effective(
        task.version_tags, task.metadata_contract, task.model_tags, inputs, outputs
    )
    agreement.sigma_scale(task.version_tags, contract)
    agreement.check(contract, inputs, outputs)
    inputs, outputs = _fixed(contract, inputs, outputs)
    if task.served is not None:
        agreement.compatible(task.served, inputs, outputs)
    runner = _Runner(session, contract, inputs[0], tuple(one.name for one in outputs), task.max_batch_size)
    rows, answers = runner.proof(_example(task, inputs[0]))
    _compare_expected(task, rows, answers)
    np.savez(
        task.proof,
        **{f"in:{inputs[0].name}": rows, **{f"out:{name}": array for name, array in answers.items()}},
    )
    return Finding(
        inputs=inputs,
        outputs=outputs,
        external=external,
        contract=contracts.dump(contract),
        latency_ms=runner.latencies(rows),
    )


def _load(model: Path, task: Task) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = task.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base but Exception
        if _is_memory(error):
            raise MemoryError from error
        raise Refused("load", f"ONNX Runtime {ort.__version__} cannot load it: {_short(error)}") from error


def _interface(session: ort.InferenceSession) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs without their batch axis, as the runtime sees them."""
    inputs = tuple(_spec(one, "input") for one in session.get_inputs())
    outputs = tuple(_spec(one, "output") for one in session.get_outputs() if _batched(one))
    return inputs, outputs


def _batched(node: Any) -> bool:
    return bool(node.shape) and not isinstance(node.shape[0], int)


def _spec(node: Any, kind: str) -> TensorSpec:
    datatype = ONNX_TO_TRITON.get(node.type)
    if datatype is None:
        raise Refused("contract", f"{kind} {node.name!r} is a {node.type}, which Triton cannot carry")
    if not _batched(node):
        raise Refused(
            "batch",
            f"{kind} {node.name!r} has shape {node.shape}: its first axis must be a dynamic batch axis; "
            "export the model with one (dynamic_axes)",
        )
    return TensorSpec(
        node.name, datatype, tuple(size if isinstance(size, int) else -1 for size in node.shape[1:])
    )


def _fixed(
    contract: ModelContract, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """The tensors with those sizes that the contract fixes where the graph leaves them open."""
    shape = agreement.expected_shape(contract) or inputs[0].shape
    widths = {
        contract.output.position.tensor: 2,
        contract.output.uncertainty.tensor: contract.output.uncertainty.width,
    }
    sized = tuple(
        TensorSpec(one.name, one.datatype, (widths[one.name],) if one.name in widths else one.shape)
        for one in outputs
    )
    return (TensorSpec(inputs[0].name, inputs[0].datatype, shape),), sized


class _Runner:
    """Runs the model on one input tensor and checks every answer."""

    def __init__(
        self,
        session: ort.InferenceSession,
        contract: ModelContract,
        spec: TensorSpec,
        outputs: tuple[str, ...],
        max_batch_size: int,
    ) -> None:
        self._session = session
        self._contract = contract
        self._spec = spec
        self._outputs = outputs
        self._max_batch = max_batch_size

    def proof(self, example: Array | None) -> tuple[Array, dict[str, Array]]:
        """Rows and their answers, once: finite on zeros, noise and example; a batch equals its singles."""
        shape = self._shape(example)
        noise = np.random.default_rng(0).standard_normal((PROOF_ROWS, *shape)).astype(np.float32)
        named = [("zeros", np.zeros((1, *shape), np.float32)), ("noise", noise)]
        if example is not None:
            named.append(("the input example", example[:PROOF_ROWS]))
        for label, array in named:
            self._finite(label, self._run(array))
        rows = np.concatenate([array for _, array in reversed(named)])[:PROOF_ROWS]
        singles = [self._run(rows[i : i + 1]) for i in range(len(rows))]
        answers = {name: np.concatenate([one[name] for one in singles]) for name in self._outputs}
        for size in dict.fromkeys((min(PROOF_ROWS, self._max_batch), self._max_batch)):
            self._check_batch(rows, answers, size)
        return rows, answers

    def latencies(self, rows: Array) -> dict[str, float]:
        """Median milliseconds by batch size 1, 2, 4, … up to the largest."""
        started, found = time.monotonic(), {}
        for size in _powers(self._max_batch):
            batch = rows[np.arange(size) % len(rows)]
            times = []
            for _ in range(5):
                before = time.perf_counter()
                self._run(batch)
                times.append((time.perf_counter() - before) * 1000)
            found[str(size)] = round(statistics.median(times), 3)
            if time.monotonic() - started > BUDGET_S:
                break
        return found

    def _shape(self, example: Array | None) -> tuple[int, ...]:
        if example is not None:
            return example.shape[1:]
        free = FREE_SAMPLES if self._contract.input.__class__ is contracts.IqInput else FREE_AXIS
        return tuple(free if size == -1 else size for size in self._spec.shape)

    def _run(self, array: Array) -> dict[str, Array]:
        try:
            answers = self._session.run(list(self._outputs), {self._spec.name: array})
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            if _is_memory(error):
                raise MemoryError from error
            raise Refused("load", f"fails on an input of shape {array.shape}: {_short(error)}") from error
        return dict(zip(self._outputs, answers, strict=True))

    def _finite(self, label: str, answers: dict[str, Array]) -> None:
        output = self._contract.output
        for tensor, width in (
            (output.position.tensor, 2),
            (output.uncertainty.tensor, output.uncertainty.width),
        ):
            answer = answers[tensor]
            if answer.ndim != 2 or answer.shape[1] != width:
                raise Refused("contract", f"output {tensor!r} has shape {answer.shape}, must be (N, {width})")
            if not np.isfinite(answer).all():
                raise Refused("output", f"output {tensor!r} is not finite on {label}")

    def _check_batch(self, rows: Array, answers: dict[str, Array], size: int) -> None:
        order = np.arange(size) % len(rows)
        batch = self._run(rows[order])
        for name in self._outputs:
            wanted = answers[name][order]
            if batch[name].shape != wanted.shape:
                raise Refused("batch", f"output {name!r} of a batch of {size} has shape {batch[name].shape}")
            if not _close(batch[name], wanted):
                worst = float(np.max(np.abs(batch[name].astype(np.float64) - wanted)))
                raise Refused(
                    "batch",
                    f"output {name!r} of a batch of {size} differs from its rows run one by one by up to "
                    f"{worst:.3g} (limit {TOLERANCE:g}): rows must not depend on each other",
                )


def _example(task: Task, spec: TensorSpec) -> Array | None:
    """The logged input example as rows of the input tensor; None when there is none of that kind."""
    if task.example is None:
        return None
    document = _read_example(Path(task.example))
    if isinstance(document, dict):
        document = document.get("inputs", document.get("instances", document))
    if isinstance(document, dict):
        document = document.get(spec.name)
    try:
        array = np.asarray(document, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise Refused("example", f"the logged input example is no array of numbers: {error}") from error
    if array.ndim == len(spec.shape):
        array = array[np.newaxis]
    if array.ndim != len(spec.shape) + 1 or any(
        size not in (-1, given) for size, given in zip(spec.shape, array.shape[1:], strict=True)
    ):
        raise Refused("example", f"the logged input example has shape {array.shape}, input {spec.name!r} "
                      f"needs (N, {', '.join(map(str, spec.shape))})")  # fmt: skip
    return array


def _read_example(path: Path) -> Any:
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise Refused("example", f"the input example {path.name} cannot be read: {error}") from error


def _compare_expected(task: Task, rows: Array, answers: dict[str, Array]) -> None:
    """The logged outputs for the input example against what the runtime gives here."""
    if task.expected is None or task.example is None:
        return
    for name, values in json.loads(Path(task.expected).read_text()).items():
        if name not in answers:
            raise Refused("example", f"expected outputs name {name!r}, which the graph does not have")
        expected = np.asarray(values, dtype=np.float64)[: len(rows)]
        if not _close(answers[name][: len(expected)], expected):
            raise Refused(
                "output", f"output {name!r} on the input example is not what was logged with the model"
            )


def _close(given: Array, wanted: Array) -> bool:
    if given.dtype.kind not in "fiu":
        return bool(np.array_equal(given, wanted))
    return given.shape == wanted.shape and np.allclose(
        given, wanted, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True
    )


def _powers(largest: int) -> Iterator[int]:
    size = 1
    while size < largest:
        yield size
        size *= 2
    yield largest


def _is_memory(error: Exception) -> bool:
    text = str(error).lower()
    return any(sign in text for sign in ("bad_alloc", "failed to allocate", "alloc failed", "std::bad"))


def _out_of_memory(task: Task) -> str:
    return (f"needs more than {task.memory_bytes >> 20} MB of memory to load and run a batch of "
            f"{task.max_batch_size}; FIXGATE_PREFLIGHT_MEMORY_MB sets the limit")  # fmt: skip


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:500]


if __name__ == "__main__":
    main()
