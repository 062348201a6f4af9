"""Preflight, in its real child process: what passes, what is refused, what is stopped."""

import copy
import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sync import preflight
from sync.errors import Refused, Unavailable
from sync.jobs import Jobs
from sync.preflight import Finding, Task
from tests.sync import models
from tests.sync.makers import INPUTS, OUTPUTS
from tests.sync.models import CONTRACT, SHAPE


def task(folder: Path, model: onnx.ModelProto | bytes, **fields: Any) -> Task:
    path = folder / "m.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    values: dict[str, Any] = {
        "model": str(path),
        "result": str(folder / "finding.json"),
        "proof": str(folder / "proof.npz"),
        "max_batch_size": 8,
        "threads": 1,
        "memory_bytes": 4 << 30,
        "timeout_s": 60.0,
        "metadata_contract": CONTRACT,
    }
    return Task(**{**values, **fields})


def refusal(folder: Path, model: onnx.ModelProto | bytes, **fields: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        preflight.run(task(folder, model, **fields))
    return refused.value


def network(*nodes: onnx.NodeProto, **weights: Any) -> onnx.ModelProto:
    """`localiser` with these nodes between its own σ and `uncertainties`."""
    base = models.localiser()
    kept = list(base.graph.node)[:-1]
    arrays = {one.name: onnx.numpy_helper.to_array(one) for one in base.graph.initializer}
    return models.model([*kept, *nodes], {**arrays, **weights})


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finding, Path]:
    folder = tmp_path_factory.mktemp("good")
    return preflight.run(task(folder, models.localiser(1))), folder


def test_a_good_model_passes_and_is_described(good: tuple[Finding, Path]) -> None:
    finding, _ = good
    assert (finding.inputs, finding.outputs, finding.external) == (INPUTS, OUTPUTS, ())
    assert finding.contract["input"]["kind"] == "mel"


def test_latencies_are_measured_for_batches_up_to_the_largest(good: tuple[Finding, Path]) -> None:
    finding, _ = good
    assert list(finding.latency_ms) == ["1", "2", "4", "8"]
    assert all(milliseconds > 0 for milliseconds in finding.latency_ms.values())


def test_rows_and_their_answers_are_recorded_for_the_proof(good: tuple[Finding, Path]) -> None:
    _, folder = good
    with np.load(folder / "proof.npz") as arrays:
        assert set(arrays) == {"in:mel_spectrogram", "out:positions", "out:uncertainties"}
        assert arrays["in:mel_spectrogram"].shape == (4, *SHAPE)
        assert arrays["out:positions"].shape == (4, 2)


def test_without_a_contract_one_is_inferred(tmp_path: Path) -> None:
    found = preflight.run(task(tmp_path, models.localiser(), metadata_contract=None))
    assert found.contract["input"] == {"kind": "tensor", "tensor": "mel_spectrogram"}


def test_weights_beside_the_model_are_found(tmp_path: Path) -> None:
    onnx.save_model(
        models.localiser(),
        tmp_path / "e.onnx",
        save_as_external_data=True,
        location="w.bin",
        size_threshold=16,
    )
    found = preflight.run(task(tmp_path, (tmp_path / "e.onnx").read_bytes()))
    assert found.external == ("w.bin",)


@pytest.mark.parametrize("form", ["bare", "inputs", "by name", "one row", "npy"])
def test_the_input_example_is_the_first_recorded_row(tmp_path: Path, form: str) -> None:
    row = np.random.default_rng(5).normal(size=SHAPE).astype(np.float32)
    batch = row[np.newaxis].tolist()
    documents = {
        "bare": batch,
        "inputs": {"inputs": batch},
        "by name": {"inputs": {"mel_spectrogram": batch}},
        "one row": row.tolist(),
    }
    path = tmp_path / ("example.npy" if form == "npy" else "example.json")
    if form == "npy":
        np.save(path, row)
    else:
        path.write_text(json.dumps(documents[form]))
    preflight.run(task(tmp_path, models.localiser(), example=str(path), max_batch_size=1))
    with np.load(tmp_path / "proof.npz") as arrays:
        np.testing.assert_array_equal(arrays["in:mel_spectrogram"][0], row)


@pytest.mark.parametrize(
    ("text", "said"), [("[[1, 2]]", "has shape"), ('["a"]', "no array of numbers"), ("{", "cannot be read")]
)
def test_an_input_example_that_does_not_fit_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "example.json").write_text(text)
    refused = refusal(tmp_path, models.localiser(), example=str(tmp_path / "example.json"))
    assert refused.fault == "example"
    assert said in refused.reason


def test_outputs_that_are_not_those_logged_are_refused(tmp_path: Path) -> None:
    (tmp_path / "example.json").write_text(json.dumps(np.zeros((1, *SHAPE)).tolist()))
    (tmp_path / "expected.json").write_text(json.dumps({"positions": [[45.0, 9.0]]}))
    logged = {"example": str(tmp_path / "example.json"), "expected": str(tmp_path / "expected.json")}
    preflight.run(task(tmp_path, models.localiser(0), max_batch_size=1, **logged))
    refused = refusal(tmp_path, models.localiser(7), **logged)
    assert (refused.fault, "not what was logged" in refused.reason) == ("output", True)


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, models.localiser().SerializeToString()[:-80]).fault == "structure"


def test_a_graph_that_is_no_localisation_model_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, models.localiser(width=5)).fault == "contract"


def test_an_operator_that_the_runtime_lacks_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("FutureOp", ["sigma"], ["uncertainties"], domain="com.example")
    model = network(node)
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    refused = refusal(tmp_path, model)
    assert refused.fault == "load"
    assert "ONNX Runtime" in refused.reason


def test_outputs_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    negative = helper.make_node("Neg", ["sigma"], ["negative"])
    refused = refusal(tmp_path, network(negative, helper.make_node("Log", ["negative"], ["uncertainties"])))
    assert (refused.fault, "not finite" in refused.reason) == ("output", True)


def test_rows_that_depend_on_each_other_are_refused(tmp_path: Path) -> None:
    mean = helper.make_node("ReduceMean", ["sigma"], ["mean"], axes=[0], keepdims=1)
    refused = refusal(tmp_path, network(mean, helper.make_node("Add", ["sigma", "mean"], ["uncertainties"])))
    assert (refused.fault, "one by one" in refused.reason) == ("batch", True)


def test_a_batch_axis_of_fixed_size_is_refused_with_what_to_do(tmp_path: Path) -> None:
    refused = refusal(tmp_path, models.localiser(batch=1))
    assert (refused.fault, "dynamic batch axis" in refused.reason) == ("batch", True)


def test_other_tensors_than_the_versions_already_served_are_refused(tmp_path: Path) -> None:
    contract = copy.deepcopy(CONTRACT)
    contract["output"]["uncertainty"]["kind"] = "sigma_rho"
    refused = refusal(
        tmp_path, models.localiser(width=3), metadata_contract=contract, served=(INPUTS, OUTPUTS)
    )
    assert refused.fault == "interface"


def test_a_faulty_sigma_scale_tag_is_refused(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path, models.localiser(), version_tags={"fixgate.sigma_scale": "x"}).fault == "contract"
    )


def endless() -> onnx.ModelProto:
    """Loops for ever on any input."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Identity", ["value"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    loop = helper.make_node("Loop", ["", "yes", "sigma"], ["uncertainties"], body=body)
    return network(loop, yes=np.array(True))


def test_a_model_that_hangs_is_stopped_in_time(tmp_path: Path) -> None:
    started = time.monotonic()
    refused = refusal(tmp_path, endless(), timeout_s=3.0)
    assert refused.fault == "resources"
    assert "longer than 3 s" in refused.reason
    assert time.monotonic() - started < 3.0 + preflight.GRACE_S


Children = SimpleQueue[subprocess.Popen[bytes]]


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Children:
    """Every child, as it is started."""
    started: Children = SimpleQueue()
    real = subprocess.Popen

    def popen(*arguments: Any, **options: Any) -> Any:
        child = real(*arguments, **options)
        started.put(child)
        return child

    monkeypatch.setattr(subprocess, "Popen", popen)
    return started


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_trial_that_is_killed_from_outside_is_no_fault_of_the_version(
    tmp_path: Path, children: Children, number: signal.Signals
) -> None:
    """As the kernel does it when the container's memory runs out."""
    with ThreadPoolExecutor(1) as pool:
        trial = pool.submit(preflight.run, task(tmp_path, models.localiser()))
        children.get(timeout=10).send_signal(number)
        with pytest.raises(Unavailable, match=f"killed \\({number.name}\\).*memory ran out.*SYNC_MEMORY"):
            trial.result()


def test_a_child_that_does_not_keep_to_its_time_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.Popen
    deaf = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(subprocess, "Popen", lambda _command, **options: real(deaf, **options))
    monkeypatch.setattr(preflight, "GRACE_S", 0.0)
    refused = refusal(tmp_path, models.localiser(), timeout_s=0.5)
    assert (refused.fault, "longer than 0.5 s" in refused.reason) == ("resources", True)


def test_one_trial_runs_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[Task] = []
    together: list[int] = []
    real = preflight._run_child

    def counted(one: Task, log: Path) -> tuple[int, bool]:
        running.append(one)
        together.append(len(running))
        try:
            return real(one, log)
        finally:
            running.remove(one)

    monkeypatch.setattr(preflight, "_run_child", counted)
    tasks = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        tasks.append(task(tmp_path / name, models.localiser(), max_batch_size=1))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(preflight.run, tasks))
    assert together == [1, 1]


def test_when_sync_stops_the_trial_is_killed_and_the_next_never_begins(
    tmp_path: Path, children: Children
) -> None:
    jobs, begun = Jobs(lambda: None), threading.Semaphore(0)
    wanted = task(tmp_path, endless())

    def work() -> None:
        begun.release()
        preflight.run(wanted)

    for number in (1, 2):
        jobs.start(("loc", number), work, publishes=False)
        assert begun.acquire(timeout=10)
    child = children.get(timeout=10)
    jobs.close()
    assert [type(one.error) for one in jobs.collect()] == [Unavailable, Unavailable]
    assert child.returncode == -signal.SIGKILL
    assert children.empty()


def test_a_model_that_eats_memory_is_stopped(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["sigma"], ["one"], keepdims=0),
        helper.make_node("Expand", ["one", "huge"], ["big"]),
        helper.make_node("ReduceMean", ["big"], ["mean"], keepdims=0),
        helper.make_node("Add", ["sigma", "mean"], ["uncertainties"]),
    ]
    refused = refusal(tmp_path, network(*nodes, huge=np.array([1 << 33], np.int64)))
    assert refused.fault == "resources"
    assert "memory" in refused.reason


def test_the_child_sees_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}
    real = subprocess.Popen

    def popen(*arguments: Any, **options: Any) -> Any:
        seen.update(options["env"])
        return real(*arguments, **options)

    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    monkeypatch.setenv("FIXGATE_WEBHOOK_SECRET", "secret")
    monkeypatch.setattr(subprocess, "Popen", popen)
    preflight.run(task(tmp_path, models.localiser(), max_batch_size=1))
    assert "secret" not in seen.values()
    assert "PATH" in seen


def test_memory_is_limited_by_the_option_or_by_the_models_size() -> None:
    assert preflight.memory_limit(512, 10) == 512 << 20
    assert preflight.memory_limit(0, 1 << 30) == 8 << 30
