"""An ONNX file is sound, and its external data is where it must be."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from sync import graph
from sync.errors import Refused
from tests.sync import models


def with_external(folder: Path, location: str = "weights.bin") -> Path:
    """A model whose weights are in a file beside it, which the graph then says is at `location`."""
    path = folder / "model.onnx"
    onnx.save_model(
        models.localiser(), path, save_as_external_data=True, location="weights.bin", size_threshold=16
    )
    if location != "weights.bin":
        model = onnx.load(path, load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = location
        path.write_bytes(model.SerializeToString())
    return path


def test_a_model_with_its_weights_inside_has_no_external_files(tmp_path: Path) -> None:
    assert graph.external_files(models.save(tmp_path / "m.onnx")) == ()


def test_external_files_are_listed_as_the_graph_names_them(tmp_path: Path) -> None:
    assert graph.external_files(with_external(tmp_path)) == ("weights.bin",)


def test_external_files_may_be_in_a_folder_below(tmp_path: Path) -> None:
    path = with_external(tmp_path, "parts/weights.bin")
    (tmp_path / "parts").mkdir()
    (tmp_path / "weights.bin").rename(tmp_path / "parts/weights.bin")
    assert graph.external_files(path) == ("parts/weights.bin",)


def test_tensors_in_attributes_and_subgraphs_are_found(tmp_path: Path) -> None:
    def outside(name: str) -> TensorProto:
        tensor = numpy_helper.from_array(np.zeros(4, np.float32), name)
        external_data_helper.set_external_data(tensor, f"{name}.bin", 0, 16)
        tensor.ClearField("raw_data")
        return tensor

    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=outside("inner"))], "inner", [], [], [outside("init")]
    )
    nodes = [
        helper.make_node("Constant", [], ["a"], value=outside("constant")),
        helper.make_node("If", ["mel_spectrogram"], ["positions"], then_branch=inner, else_branch=inner),
    ]
    path = tmp_path / "m.onnx"
    path.write_bytes(models.model(nodes, {}).SerializeToString())
    for name in ("constant", "inner", "init"):
        (tmp_path / f"{name}.bin").write_bytes(bytes(16))
    assert graph.external_files(path) == ("constant.bin", "init.bin", "inner.bin")


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname", "a/../../b", "..\\weights.bin"])
def test_external_data_outside_of_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(Refused, match="outside") as refused:
        graph.external_files(with_external(tmp_path / "model", location))
    assert refused.value.fault == "external_data"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_external_data_behind_a_link_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "elsewhere").mkdir()
    path = with_external(tmp_path / "model", "parts/weights.bin")
    (tmp_path / "model/weights.bin").rename(tmp_path / "elsewhere/weights.bin")
    if kind == "folder":
        (tmp_path / "model/parts").symlink_to(tmp_path / "elsewhere")
    else:
        (tmp_path / "model/parts").mkdir()
        (tmp_path / "model/parts/weights.bin").symlink_to(tmp_path / "elsewhere/weights.bin")
    with pytest.raises(Refused, match="is a link") as refused:
        graph.external_files(path)
    assert refused.value.fault == "external_data"


def test_missing_external_data_is_refused_and_named(tmp_path: Path) -> None:
    path = with_external(tmp_path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(Refused, match=r"'weights\.bin' is missing"):
        graph.external_files(path)


def test_external_data_that_is_too_short_is_refused(tmp_path: Path) -> None:
    path = with_external(tmp_path)
    (tmp_path / "weights.bin").write_bytes(bytes(10))
    with pytest.raises(Refused, match="has 10 bytes, needs"):
        graph.external_files(path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 64])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(Refused) as refused:
        graph.external_files(tmp_path / "m.onnx")
    assert refused.value.fault == "structure"


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    path = models.save(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Refused, match="cut short"):
        graph.external_files(path)


def test_the_checker_refuses_a_graph_that_is_not_valid(tmp_path: Path) -> None:
    model = models.localiser()
    model.graph.node[0].input[0] = "nowhere"
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(Refused, match="not a valid ONNX model") as refused:
        graph.check(tmp_path / "m.onnx")
    assert refused.value.fault == "structure"
    graph.check(models.save(tmp_path / "good.onnx"))
