"""The MLmodel file: where the ONNX file is, the contract it carries, its input example."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from sync.errors import Refused

NAME = "MLmodel"
CONTRACT_KEY = "fixgate"
EXPECTED = "expected_output.json"
"""Written by `fixgate register`: what the model gave for its input example, by tensor."""


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
        Refused: no ONNX model, an unreadable MLmodel, or a path that leaves the folder.
    """
    path = folder / NAME
    if not path.is_file():
        return Package(model_file=_only_onnx(folder))
    try:
        document = yaml.safe_load(path.read_text())
        flavour = document["flavors"]["onnx"]
        model_file = str(flavour["data"])
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise Refused(
            "artifact", "MLmodel names no ONNX file (flavors.onnx.data): is it an ONNX model?"
        ) from error
    metadata = document.get("metadata") or {}
    contract = metadata.get(CONTRACT_KEY) if isinstance(metadata, dict) else metadata
    if contract is not None and not isinstance(contract, dict):
        raise Refused("contract", "MLmodel metadata.fixgate must be an object")
    example = document.get("saved_input_example_info") or {}
    return Package(
        model_file=_inside(folder, model_file),
        contract=contract,
        example=_example(folder, example),
        expected=EXPECTED if (folder / EXPECTED).is_file() else None,
    )


def _example(folder: Path, info: dict[str, Any]) -> str | None:
    """The example's file; None for a kind that is no tensor (a data frame, say)."""
    if info.get("type") not in ("ndarray", "json_object") or "artifact_path" not in info:
        return None
    return _inside(folder, str(info["artifact_path"]))


def _only_onnx(folder: Path) -> str:
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.onnx"))
    if len(found) != 1:
        raise Refused("artifact", f"no MLmodel file, and {len(found)} .onnx files where there should be one")
    return found[0]


def _inside(folder: Path, name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not name:
        raise Refused("artifact", f"MLmodel names {name!r}, which is outside of the model's folder")
    if not (folder / path).is_file():
        raise Refused("artifact", f"MLmodel names {name!r}, which is not among the files")
    return name
