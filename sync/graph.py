"""An ONNX file's structure: sound, with every piece of external data where it must be."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError
from onnx import external_data_helper

from sync.errors import Refused


def external_files(model_file: Path) -> tuple[str, ...]:
    """Check the structure without loading weights; the external data files, as the graph names them.

    Raises:
        Refused: not an ONNX model, or external data missing, too short, or outside of the model's folder.
    """
    if not model_file.is_file() or model_file.stat().st_size == 0:
        raise Refused("structure", f"{model_file.name} is empty or not there")
    try:
        model = onnx.load(model_file, load_external_data=False)
    except DecodeError as error:
        raise Refused("structure", f"{model_file.name} is no ONNX model, or cut short: {error}") from error
    if not model.graph.node:
        raise Refused("structure", f"{model_file.name} has no graph")
    needed: dict[str, int] = {}
    for tensor in _tensors(model):
        if external_data_helper.uses_external_data(tensor):
            info = external_data_helper.ExternalDataInfo(tensor)
            end = int(info.offset or 0) + int(info.length or 0)
            needed[info.location] = max(needed.get(info.location, 0), end)
    for location, size in needed.items():
        _check_location(model_file.parent, location, size)
    return tuple(sorted(needed))


def check(model_file: Path) -> None:
    """ONNX's own checker, by path (so that models over 2 GB work).

    Raises:
        Refused: what the checker says.
    """
    try:
        onnx.checker.check_model(str(model_file))
    except (onnx.checker.ValidationError, ValueError) as error:
        raise Refused("structure", f"not a valid ONNX model: {_first_line(error)}") from error


def _check_location(folder: Path, location: str, size: int) -> None:
    path = PurePosixPath(location)
    if not location or path.is_absolute() or ".." in path.parts or "\\" in location:
        raise Refused("external_data", f"external data {location!r} is outside of the model's folder")
    target = folder / path
    for part in (target, *(one for one in target.parents if one.is_relative_to(folder) and one != folder)):
        if part.is_symlink():
            raise Refused("external_data", f"external data {location!r} is a link")
    if not target.is_file():
        raise Refused("external_data", f"external data {location!r} is missing; log it beside the model")
    if target.stat().st_size < size:
        raise Refused(
            "external_data", f"external data {location!r} has {target.stat().st_size} bytes, needs {size}"
        )


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor of a model, wherever it stands."""
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _node_tensors(function.node)


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: "onnx.NodeProto") -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for graph in (attribute.g, *attribute.graphs):
                yield from _graph_tensors(graph)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:500] if str(error).strip() else type(error).__name__
