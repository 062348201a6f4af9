"""Triton's `config.pbtxt` (pure): rendered explicitly from the graph, read back from the repository.

Only the version list ever changes in a config that is in place: any other difference makes Triton load all
versions again. So whatever stands in it (an operator's own edit too) is kept.
"""

from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2 as pb

from contract.catalog import TensorSpec
from sync.settings import Settings

NAME = "config.pbtxt"
OWNER_KEY = "fixgate"
OWNER_VALUE = "managed by fixgate sync"
TRIAL_VALUE = "a trial of fixgate tune"

ONNX_TO_TRITON = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "STRING",
    "tensor(bfloat16)": "BF16",
}


class ConfigError(ValueError):
    """A config.pbtxt that is not one."""


@dataclass(frozen=True, slots=True)
class ServingConfig:
    """One model's config. `text` is the whole file as it stands."""

    name: str
    owned: bool
    versions: tuple[int, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    settings: Settings
    text: str


def render(
    name: str,
    settings: Settings,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    versions: tuple[int, ...],
) -> ServingConfig:
    """The config of a model that is published for the first time."""
    message = pb.ModelConfig(name=name, backend="onnxruntime", max_batch_size=settings.max_batch_size)
    message.version_policy.specific.versions.extend(sorted(versions))
    for target, specs in ((message.input, inputs), (message.output, outputs)):
        for spec in specs:
            target.add(name=spec.name, data_type=f"TYPE_{spec.datatype}", dims=spec.shape)
    _run_with(message, settings)
    # No queue policy of any kind: it would switch off Triton's prefetch (server#8870).
    message.dynamic_batching.SetInParent()
    message.parameters[OWNER_KEY].string_value = OWNER_VALUE
    return parse(_text(message))


def with_versions(config: ServingConfig, versions: tuple[int, ...]) -> ServingConfig:
    """The same config with another version list."""
    message = _message(config.text)
    message.version_policy.specific.versions[:] = sorted(versions)
    return parse(_text(message))


def with_settings(config: ServingConfig, settings: Settings) -> ServingConfig:
    """The same config with other settings: Triton loads every version again."""
    message = _message(config.text)
    message.max_batch_size = settings.max_batch_size
    del message.instance_group[:]
    _run_with(message, settings)
    return parse(_text(message))


def trial(config: ServingConfig, name: str, settings: Settings) -> ServingConfig:
    """The config of a copy of a model under another name, version 1, that sync does not take for its own."""
    message = _message(with_settings(config, settings).text)
    message.name = name
    message.version_policy.specific.versions[:] = [1]
    message.parameters[OWNER_KEY].string_value = TRIAL_VALUE
    return parse(_text(message))


def parse_json(document: dict[str, Any]) -> ServingConfig:
    """Read a config as Triton's model configuration extension gives it.

    Raises:
        ConfigError: not a model configuration.
    """
    try:
        message = json_format.ParseDict(document, pb.ModelConfig(), ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise ConfigError(str(error)) from error
    return parse(_text(message))


def parse(text: str) -> ServingConfig:
    """Read a config.

    Raises:
        ConfigError: not a model configuration.
    """
    message = _message(text)
    return ServingConfig(
        name=message.name,
        owned=message.parameters[OWNER_KEY].string_value == OWNER_VALUE,
        versions=tuple(sorted(message.version_policy.specific.versions)),
        inputs=_specs(message.input),
        outputs=_specs(message.output),
        settings=_settings(message),
        text=text,
    )


def _run_with(message: pb.ModelConfig, settings: Settings) -> None:
    kinds = {"cpu": pb.ModelInstanceGroup.KIND_CPU, "gpu": pb.ModelInstanceGroup.KIND_GPU}
    message.instance_group.add(count=settings.instances, kind=kinds[settings.kind])
    message.parameters["intra_op_thread_count"].string_value = str(settings.threads)
    message.parameters["inter_op_thread_count"].string_value = "1"


def _settings(message: pb.ModelConfig) -> Settings:
    """The settings, as near as an operator's own edits allow."""
    group = message.instance_group[0] if message.instance_group else pb.ModelInstanceGroup(count=1)
    threads = message.parameters["intra_op_thread_count"].string_value
    return Settings(
        max_batch_size=max(1, message.max_batch_size),
        instances=max(1, group.count),
        threads=int(threads) if threads.isdigit() and int(threads) else 1,
        kind="gpu" if group.kind == pb.ModelInstanceGroup.KIND_GPU else "cpu",
    )


def _specs(tensors: pb.ModelConfig) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(one.name, pb.DataType.Name(one.data_type).removeprefix("TYPE_"), tuple(one.dims))
        for one in tensors
    )


def _message(text: str) -> pb.ModelConfig:
    try:
        return text_format.Parse(text, pb.ModelConfig())
    except text_format.ParseError as error:
        raise ConfigError(str(error)) from error


def _text(message: pb.ModelConfig) -> str:
    rendered: str = text_format.MessageToString(message)
    return rendered
