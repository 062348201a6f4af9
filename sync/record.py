"""What sync knows of one version's files: `fixgate.json` in the version's folder, written before it is
published and never after (a file that changes inside a version folder makes Triton load it again)."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from contract.catalog import TensorSpec

NAME = "fixgate.json"
PROOF = "fixgate.npz"
"""Input rows and the outputs that preflight got for them: arrays `in:<tensor>` and `out:<tensor>`."""

MODEL_FILE = "model.onnx"
CHUNK = 1 << 20


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version as it was published.

    `origin` tells this registration from another of the same name and number; `metadata_contract` is the
    contract found in the MLmodel file; tensors are without the batch axis; `latency_ms` by batch size.
    """

    schema: int
    model: str
    version: int
    digest: str
    origin: str
    created_at: float
    files: dict[str, str]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    contract: dict[str, Any]
    metadata_contract: dict[str, Any] | None = None
    run_id: str | None = None
    metrics: dict[str, float] = {}
    latency_ms: dict[str, float] = {}


def dump(record: Record) -> bytes:
    """The record as JSON."""
    return msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=1)


def parse(document: bytes) -> Record:
    """Read a record.

    Raises:
        ValueError: not a record of this schema.
    """
    return msgspec.json.decode(document, type=Record)


def file_digests(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """SHA-256 (hex) of each file, read in pieces."""
    digests = {}
    for name in names:
        sha = hashlib.sha256()
        with (folder / name).open("rb") as file:
            while piece := file.read(CHUNK):
                sha.update(piece)
        digests[name] = sha.hexdigest()
    return digests


def digest(files: dict[str, str]) -> str:
    """SHA-256 (hex) over the sorted lines `<sha256>  <name>`: one digest for all files of a version."""
    lines = "".join(f"{files[name]}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()
