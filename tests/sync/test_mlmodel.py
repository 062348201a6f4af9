"""The MLmodel file."""

import os
from datetime import date
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


def test_a_contract_may_say_one_thing_twice_by_an_alias(tmp_path: Path) -> None:
    again = {"id": "north"}
    document = onnx("m.onnx", metadata={"fixgate": {"one": again, "other": [again, 1, 0.5, None, True]}})
    folder = package(tmp_path, document, "m.onnx")
    assert "*id001" in (folder / "MLmodel").read_text()
    assert mlmodel.read(folder).contract == document["metadata"]["fixgate"]


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
        (onnx("m.onnx", metadata={"fixgate": {1: "a key"}}), "contract"),
        (onnx("m.onnx", metadata={"fixgate": {"n": 1 << 70}}), "contract"),
        (onnx("m.onnx", metadata={"fixgate": {"n": float("nan")}}), "contract"),
        (onnx("m.onnx", metadata={"fixgate": {"day": date(2026, 1, 1)}}), "contract"),
        ('{flavors: {onnx: {data: m.onnx}}, metadata: {fixgate: {a: "\\ud800"}}}', "contract"),
        ("{flavors: {onnx: {data: m.onnx}}, metadata: {fixgate: &a {again: *a}}}", "contract"),
        ("[]", "artifact"),
        ("", "artifact"),
        ({"flavors": {"onnx": {"data": ["m.onnx"]}}}, "artifact"),
        ({"flavors": {"onnx": {"data": 1}}}, "artifact"),
        (onnx("m" * 5000), "artifact"),
        ('{flavors: {onnx: {data: "\\ud800"}}}', "artifact"),
        ('{flavors: {onnx: {data: "m.onnx\\0"}}}', "artifact"),
        (onnx("m.onnx", saved_input_example_info="text"), "artifact"),
        (onnx("m.onnx", saved_input_example_info={"type": "ndarray", "artifact_path": ["m"]}), "artifact"),
        ("[" * 5000, "artifact"),
        ("{flavors: {onnx: {data: m.onnx}}, day: 2026-99-99}", "artifact"),
        ("{flavors: {onnx: {data: m.onnx}}, count: !!int ''}", "artifact"),
        ("{one: &one {data: m.onnx}, flavors: {onnx: {<<: *one}}}", "artifact"),
    ],
)
def test_an_mlmodel_that_cannot_be_used_is_refused(tmp_path: Path, document: Any, fault: str) -> None:
    with pytest.raises(Refused) as refused:
        mlmodel.read(package(tmp_path, document, "m.onnx"))
    assert refused.value.fault == fault
    assert len(refused.value.reason) < 500


LEVELS = [f"&a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 8)]
BOMB = f"bomb: [&a0 [xxxxxxxx], {', '.join(LEVELS)}]"
"""Two million strings, once it is written out."""


@pytest.mark.parametrize(
    ("rest", "fault"),
    [
        ("flavors: {onnx: {data: *a7}}", "artifact"),
        (
            "flavors: {onnx: {data: m.onnx}}\nsaved_input_example_info: {type: ndarray, artifact_path: *a7}",
            "artifact",
        ),
        ("flavors: {onnx: {data: m.onnx}}\nmetadata: {fixgate: {bomb: *a7}}", "contract"),
    ],
)
def test_a_little_yaml_that_stands_for_very_much_is_refused(tmp_path: Path, rest: str, fault: str) -> None:
    with pytest.raises(Refused) as refused:
        mlmodel.read(package(tmp_path, f"{BOMB}\n{rest}", "m.onnx"))
    assert refused.value.fault == fault
    assert len(refused.value.reason) < 500


def test_an_mlmodel_of_more_than_a_megabyte_is_refused_unread(tmp_path: Path) -> None:
    package(tmp_path, onnx("m.onnx"), "m.onnx")
    os.truncate(tmp_path / "MLmodel", mlmodel.LARGEST + 1)
    with pytest.raises(Refused, match="bytes, more than") as refused:
        mlmodel.read(tmp_path)
    assert refused.value.fault == "artifact"
