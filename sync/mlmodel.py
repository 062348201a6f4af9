"""The MLmodel file: where the ONNX file is, the contract it carries, its input example."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from sync.errors import Refused

NAME = "MLmodel"
CONTRACT_KEY = "fixgate"
EXPECTED = "expected_output.json"
"""Written by `fixgate register`: what the model gave for its input example, by tensor."""

LARGEST = 1 << 20
"""Bytes of an MLmodel file; those that mlflow writes have a few thousand."""

NO_ONNX = "MLmodel names no ONNX file (flavors.onnx.data): is it an ONNX model?"
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Package:
    """The parts of a downloaded model. Paths are relative to its folder."""

    model_file: str
    contract: dict[str, Any] | None = None
    example: str | None = None
    expected: str | None = None


def read(folder: Path) -> Package:
    """Read MLmodel; without one, the only `.onnx` file is taken.

    Raises:
        Refused: no ONNX model, an MLmodel that cannot be used, or a path that leaves the folder.
    """
    path = folder / NAME
    if not path.is_file():
        return Package(model_file=_only_onnx(folder))
    size = path.stat().st_size
    if size > LARGEST:
        raise Refused("artifact", f"MLmodel has {size} bytes, more than {LARGEST}")
    content = path.read_bytes()
    try:
        document = _parse(content)
        model_file = document["flavors"]["onnx"]["data"]
    except Exception as error:  # PyYAML fails on what is no YAML in many ways
        raise Refused("artifact", NO_ONNX) from error
    if not isinstance(model_file, str):
        raise Refused("artifact", NO_ONNX)
    return Package(
        model_file=_inside(folder, model_file),
        contract=_contract(document),
        example=_example(folder, document),
        expected=EXPECTED if (folder / EXPECTED).is_file() else None,
    )


def _parse(content: bytes) -> Any:
    loader = yaml.SafeLoader(content)
    # Merge keys are errors: mlflow never writes one, and a few lines of them can fill all memory.
    loader.flatten_mapping = lambda _node: None
    return loader.get_single_data()


def _contract(document: dict[Any, Any]) -> dict[str, Any] | None:
    metadata = document.get("metadata") or {}
    contract = metadata.get(CONTRACT_KEY) if isinstance(metadata, dict) else metadata
    if contract is None:
        return None
    if not isinstance(contract, dict):
        raise Refused("contract", "MLmodel metadata.fixgate must be an object")
    if not _is_json(contract):
        raise Refused("contract", "MLmodel metadata.fixgate is too large, or has what JSON does not")
    return contract


def _is_json(document: dict[Any, Any]) -> bool:
    """Whether it can be written as JSON, and in reason: by aliases, a little YAML may mean very much."""
    size, left = 0, [document]
    while left and size <= LARGEST:
        value: Any = left.pop()
        if isinstance(value, dict):
            if not all(_is_text(key) for key in value):
                return False
            size += sum(len(key) + 1 for key in value)
            left += value.values()
        elif isinstance(value, list):
            size += len(value)
            left += value
        elif isinstance(value, str) and _is_text(value):
            size += len(value)
        elif not _is_plain(value):
            return False
    return size <= LARGEST


def _is_text(value: Any) -> bool:
    """Whether it is a string, and one that can be written: YAML can name half a character."""
    return isinstance(value, str) and SURROGATE.search(value) is None


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or (isinstance(value, int) and abs(value) < 1 << 63)


def _example(folder: Path, document: dict[Any, Any]) -> str | None:
    """The example's file; None for a kind that is no tensor (a data frame, say)."""
    info = document.get("saved_input_example_info") or {}
    if not isinstance(info, dict):
        raise Refused("artifact", "MLmodel saved_input_example_info must be an object")
    if info.get("type") not in ("ndarray", "json_object") or "artifact_path" not in info:
        return None
    name = info["artifact_path"]
    if not isinstance(name, str):
        raise Refused("artifact", "MLmodel saved_input_example_info.artifact_path must be text")
    return _inside(folder, name)


def _only_onnx(folder: Path) -> str:
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.onnx"))
    if len(found) != 1:
        raise Refused("artifact", f"no MLmodel file, and {len(found)} .onnx files where there should be one")
    return found[0]


def _inside(folder: Path, name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not name:
        raise Refused("artifact", f"MLmodel names {name[:200]!r}, which is outside of the model's folder")
    if not _is_text(name) or not os.path.isfile(folder / path):
        raise Refused("artifact", f"MLmodel names {name[:200]!r}, which is not among the files")
    return name
