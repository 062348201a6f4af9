"""Values for pure tests, with everything that a test does not care about filled in."""

from collections.abc import Mapping
from typing import Any

from contract.catalog import TensorSpec
from sync import pbtxt
from sync.desired import RegisteredModel, RegisteredVersion, WantedModel, select
from sync.record import Record
from sync.repository import Live, LiveModel
from sync.settings import Settings
from tests.sync.models import CONTRACT, SHAPE

INPUTS = (TensorSpec("mel_spectrogram", "FP32", SHAPE),)
OUTPUTS = (TensorSpec("positions", "FP32", (2,)), TensorSpec("uncertainties", "FP32", (2,)))
SETTINGS = Settings(max_batch_size=8, instances=1, threads=2)


def registered(number: int, *, model: str = "loc", source: str = "", **fields: Any) -> RegisteredVersion:
    """A version in the registry; its source names it unless given."""
    return RegisteredVersion(model, number, source or f"runs:/{number}", 1000.0 + number, **fields)


def model(
    *versions: RegisteredVersion,
    name: str = "loc",
    aliases: Mapping[str, int] | None = None,
    tags: Mapping[str, str] | None = None,
) -> RegisteredModel:
    """A registered model with these versions."""
    return RegisteredModel(name, aliases or {}, tags or {}, {one.number: one for one in versions})


def wanted(*models: RegisteredModel, keep: int = 1) -> dict[str, WantedModel]:
    """What the registry wants when it has these models."""
    return dict(select(models, patterns=("*",), keep=keep))


def record(version: RegisteredVersion, **fields: Any) -> Record:
    """The record of a published version; its digest names it unless given."""
    values: dict[str, Any] = {
        "schema": 1,
        "model": version.model,
        "version": version.number,
        "digest": f"digest-{version.number}",
        "origin": version.origin,
        "created_at": version.created_at,
        "files": {"model.onnx": f"digest-{version.number}"},
        "inputs": INPUTS,
        "outputs": OUTPUTS,
        "contract": CONTRACT,
        "metadata_contract": CONTRACT,
    }
    return Record(**{**values, **fields})


def live_model(
    *records: Record,
    name: str = "loc",
    configured: tuple[int, ...] | None = None,
    settings: Settings = SETTINGS,
) -> LiveModel:
    """A model in the repository; its config names all its versions unless told otherwise."""
    numbers = tuple(one.version for one in records) if configured is None else configured
    config = pbtxt.render(name, settings, INPUTS, OUTPUTS, numbers)
    return LiveModel(name, config, {one.version: one for one in records})


def live(*models: LiveModel, foreign: tuple[str, ...] = ()) -> Live:
    """A repository with these models."""
    return Live({one.name: one for one in models}, foreign)
