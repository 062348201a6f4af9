"""The MLmodel file."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sync import mlmodel
from sync.errors import Refused


def package(folder: Path, document: Any, *files: str) -> Path:
    (folder / "MLmodel").write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def onnx(data: str, **more: Any) -> dict[str, Any]:
    return {"flavors": {"onnx": {"data": data}}, **more}


def test_the_model_file_may_have_any_name(tmp_path: Path) -> None:
    found = mlmodel.read(package(tmp_path, onnx("nets/best.onnx"), "nets/best.onnx"))
    assert found == mlmodel.Package(model_file="nets/best.onnx")


def test_contract_example_and_expected_outputs_are_found(tmp_path: Path) -> None:
    document = onnx(
        "m.onnx",
        metadata={"fixgate": {"schema": 1}},
        saved_input_example_info={"type": "ndarray", "artifact_path": "input_example.json"},
    )
    found = mlmodel.read(package(tmp_path, document, "m.onnx", "input_example.json", "expected_output.json"))
    assert found.contract == {"schema": 1}
    assert (found.example, found.expected) == ("input_example.json", "expected_output.json")


def test_an_example_that_is_a_data_frame_is_passed_over(tmp_path: Path) -> None:
    info = {"type": "dataframe", "artifact_path": "input_example.json"}
    found = mlmodel.read(package(tmp_path, onnx("m.onnx", saved_input_example_info=info), "m.onnx"))
    assert found.example is None


def test_without_mlmodel_the_only_onnx_file_is_taken(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"x")
    assert mlmodel.read(tmp_path).model_file == "net.onnx"


@pytest.mark.parametrize("names", [(), ("a.onnx", "b.onnx")])
def test_without_mlmodel_there_must_be_one_onnx_file(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(Refused, match=f"{len(names)} .onnx files"):
        mlmodel.read(tmp_path)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"flavors": {"sklearn": {}}}, "artifact"),
        ("flavors: [", "artifact"),
        ("just text", "artifact"),
        (onnx("../m.onnx"), "artifact"),
        (onnx("/m.onnx"), "artifact"),
        (onnx("gone.onnx"), "artifact"),
        (onnx("m.onnx", metadata={"fixgate": "text"}), "contract"),
        (onnx("m.onnx", metadata="text"), "contract"),
    ],
)
def test_an_mlmodel_that_cannot_be_used_is_refused(tmp_path: Path, document: Any, fault: str) -> None:
    with pytest.raises(Refused) as refused:
        mlmodel.read(package(tmp_path, document, "m.onnx"))
    assert refused.value.fault == fault
