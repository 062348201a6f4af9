"""Bad versions are refused with a reason, and what is served stays served."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from sync.folder_repository import FolderRepository
from tests.sync import models
from tests.sync.flaky import flaky
from tests.sync.rig import Rig, again

pytestmark = pytest.mark.stack


def not_finite() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Flatten", ["mel_spectrogram"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "w"], ["positions"]),
        helper.make_node("Sub", ["positions", "one"], ["negative"]),
        helper.make_node("Log", ["negative"], ["uncertainties"]),
    ]
    weights = {
        "w": np.zeros((int(np.prod(models.SHAPE)), 2), np.float32),
        "one": np.array([1.0], np.float32),
    }
    return models.model(nodes, weights)


def escaping() -> bytes:
    tensor = models.localiser()
    external = tensor.graph.initializer[0]
    onnx.external_data_helper.set_external_data(external, "../../../secrets", 0, external.ByteSize())
    external.ClearField("raw_data")
    return bytes(tensor.SerializeToString())


def test_bad_versions_are_refused_and_good_ones_go_on(sync_rig: Rig) -> None:
    sync_rig.register(1, "champion")
    sync_rig.settle()
    truncated = models.localiser(2).SerializeToString()[:-50]
    assert sync_rig.register_files(truncated, "champion") == 2
    assert sync_rig.register_files(escaping(), "candidate") == 3
    assert sync_rig.register_files(not_finite(), "shadow") == 4
    assert sync_rig.register_files(models.localiser(5), "zulu") == 5
    sync_rig.run_until(lambda: 5 in sync_rig.numbers, "the good one served")
    sync_rig.settle()
    assert sync_rig.champion == 1
    assert sync_rig.numbers == [1, 5]
    assert sync_rig.answer(1) == pytest.approx([45.01, 9.0], abs=1e-4)
    reasons = {number: sync_rig.tags(number) for number in (2, 3, 4)}
    assert {tags["fixgate.status"] for tags in reasons.values()} == {"rejected"}
    assert reasons[2]["fixgate.reason"].startswith("structure: ")
    assert reasons[3]["fixgate.reason"].startswith("external_data: ")
    assert reasons[4]["fixgate.reason"].startswith("output: ")
    assert sorted(one.version or 0 for one in sync_rig.journal("refuse")) == [2, 3, 4]
    metrics = sync_rig.parts.watch.metrics.render().decode()
    assert 'fixgate_sync_refusals_total{reason="structure"} 1.0' in metrics


def test_a_refused_version_is_tried_again_only_when_it_has_changed(sync_rig: Rig) -> None:
    sync_rig.register(1, "champion")
    assert sync_rig.register_files(models.localiser(2, width=5), "candidate") == 2
    sync_rig.settle()
    assert len(sync_rig.journal("refuse")) == 1
    rig = again(sync_rig)
    rig.settle()
    assert len(rig.journal("refuse")) == 1
    rig.client.set_model_version_tag(rig.name, "2", "note", "have another look")
    rig.run_until(lambda: len(rig.journal("refuse")) == 2, "tried again")
    rig.stop()


def test_a_corrected_contract_makes_a_refused_version_good(sync_rig: Rig) -> None:
    wrong = {**models.CONTRACT, "input": {**models.CONTRACT["input"], "tensor": "other"}}
    path = models.save(sync_rig.home / "m.onnx", 3)
    number = sync_rig.register_files(path.read_bytes(), "champion")
    tag = (sync_rig.name, str(number), "fixgate.contract")
    sync_rig.client.set_model_version_tag(*tag, json.dumps(wrong))
    sync_rig.settle()
    assert sync_rig.tags(number)["fixgate.status"] == "rejected"
    sync_rig.client.set_model_version_tag(*tag, json.dumps(models.CONTRACT))
    sync_rig.run_until(lambda: sync_rig.champion == number)
    sync_rig.settle()
    tags = sync_rig.tags(number)
    assert tags["fixgate.status"] == "ready"
    assert "fixgate.reason" not in tags


def test_a_version_that_triton_cannot_load_is_rolled_back_and_the_old_one_answers_on(
    sync_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_rig.register(1, "champion")
    sync_rig.settle()
    real = FolderRepository.add_version

    def add_broken(self: FolderRepository, model: str, number: int, version: Path) -> None:
        (version / "model.onnx").write_bytes(b"bits have rotted")
        real(self, model, number, version)

    monkeypatch.setattr(FolderRepository, "add_version", add_broken)
    sync_rig.register(2, "champion")
    answers = []

    def refused() -> bool:
        answers.append(sync_rig.answer(1))
        return bool(sync_rig.journal("refuse"))

    sync_rig.run_until(refused)
    sync_rig.settle()
    assert sync_rig.tags(2)["fixgate.reason"].startswith("triton: ")
    assert (sync_rig.champion, sync_rig.ready()) == (1, [1])
    assert answers == [answers[0]] * len(answers)
    assert not (sync_rig.triton.repository / sync_rig.name / "2").exists()


def test_folders_of_others_are_left_alone_and_reported(sync_rig: Rig) -> None:
    theirs = sync_rig.triton.repository / sync_rig.name
    shutil.copytree(Path(__file__).parent, theirs / "1", ignore=lambda *_: {"__pycache__"})
    before = sorted(theirs.rglob("*"))
    sync_rig.register(1, "champion")
    sync_rig.settle()
    assert sorted(theirs.rglob("*")) == before
    assert "fixgate did not make" in sync_rig.tags(1)["fixgate.reason"]
    last = sync_rig.parts.watch.last
    assert last is not None
    assert f"{sync_rig.name}: not made by fixgate, left alone" in last.seen.problems


def test_files_that_are_gone_are_the_versions_fault(sync_rig: Rig) -> None:
    with flaky(sync_rig.mlflow_uri) as proxy:
        rig = again(sync_rig, mlflow_uri=proxy.uri)
        number = rig.register_files(models.localiser(1), "champion")
        proxy.mode = "gone"
        rig.settle()
        assert "artifact: " in rig.tags(number)["fixgate.reason"]
        rig.stop()


@pytest.mark.parametrize("mode", ["500", "silent", "half"])
def test_while_mlflow_misbehaves_what_is_served_stays_and_then_it_goes_on(
    sync_rig: Rig, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with flaky(sync_rig.mlflow_uri) as proxy:
        rig = again(sync_rig, mlflow_uri=proxy.uri)
        rig.register(1, "champion")
        rig.run_until(lambda: rig.champion == 1)
        rig.register(2, "champion")
        proxy.mode = mode
        rig.run_until(lambda: bool(rig.parts.watch.last and troubles(rig)), "in trouble")
        assert rig.champion == 1
        assert rig.journal("refuse") == []
        proxy.mode = "well"
        proxy.released.set()
        rig.run_until(lambda: rig.champion == 2, "recovered")
        rig.stop()


def troubles(rig: Rig) -> bool:
    """Whether a pass could not read the registry, or a version waits for another try."""
    last = rig.parts.watch.last
    return last is not None and (not last.seen.fresh or bool(last.resting))
