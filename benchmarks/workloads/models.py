"""Three sizes of the same task, random weights: a small network, ConvNeXt-Tiny's body, ConvNeXt-Large's.

ConvNeXt as in "A ConvNet for the 2020s" (arXiv:2201.03545), table 9: stem of 4x4 convolutions, four stages
of blocks (7x7 depthwise, layer norm, 4x wide GELU pair, layer scale), here with one head for the position and
one for its uncertainty instead of classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.workloads.graph import INPUT, POSITIONS, UNCERTAINTIES, Graph

SMALL_CHANNELS = (3, 32, 64, 128, 128)
TINY_DEPTHS, TINY_WIDTHS = (3, 3, 9, 3), (96, 192, 384, 768)
LARGE_DEPTHS, LARGE_WIDTHS = (3, 3, 27, 3), (192, 384, 768, 1536)

_OUTPUT = {
    "position": {"tensor": POSITIONS, "order": ["latitude", "longitude"]},
    "uncertainty": {
        "tensor": UNCERTAINTIES,
        "kind": "sigma",
        "units": "degrees",
        "order": ["north", "east"],
    },
}
TENSOR_CONTRACT: dict[str, Any] = {
    "schema": 1,
    "input": {"tensor": INPUT, "kind": "tensor"},
    "output": _OUTPUT,
}
IQ_CONTRACT: dict[str, Any] = {
    "schema": 1,
    "input": {"tensor": INPUT, "kind": "mel", "receivers": 3, "frontend": {}},
    "output": _OUTPUT,
}
"""Through the preset's front-end."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A model to register: `name` in the registry, how its graph is made, its contract."""

    name: str
    build: Callable[[], onnx.ModelProto]
    contract: dict[str, Any]

    def file(self, folder: Path) -> Path:
        """The ONNX file, made when it is not there yet; the same bytes every time."""
        path = folder / self.name / "model.onnx"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            arriving = path.with_suffix(".new")
            arriving.write_bytes(self.build().SerializeToString())
            arriving.replace(path)
        return path


def small() -> onnx.ModelProto:
    """Four 3x3 convolutions, 0.97 MB."""
    graph = Graph(np.random.default_rng(1))
    x = INPUT
    for place, channels in enumerate(pairwise(SMALL_CHANNELS)):
        x = graph.node("Relu", graph.convolution(x, channels, 3, 2 if place else 4))
    pooled = graph.node("Flatten", graph.node("GlobalAveragePool", x), axis=1)
    graph.heads(pooled, SMALL_CHANNELS[-1])
    return graph.model("small")


def convnext(depths: tuple[int, ...], widths: tuple[int, ...]) -> onnx.ModelProto:
    """The body with two heads."""
    graph = Graph(np.random.default_rng(2))
    x = _norm_channels(graph, graph.convolution(INPUT, (3, widths[0]), 4, 4), widths[0])
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        if stage:
            before = widths[stage - 1]
            x = graph.convolution(_norm_channels(graph, x, before), (before, width), 2, 2)
        for _ in range(depth):
            x = _block(graph, x, width)
    pooled = graph.node("Flatten", graph.node("GlobalAveragePool", x), axis=1)
    graph.heads(graph.layer_norm(pooled, widths[-1]), widths[-1])
    return graph.model("convnext")


def _block(graph: Graph, x: str, width: int) -> str:
    y = graph.convolution(x, (width, width), 7, 1, groups=width)
    y = graph.layer_norm(graph.node("Transpose", y, perm=[0, 2, 3, 1]), width)
    y = graph.linear(graph.gelu(graph.linear(y, width, 4 * width)), 4 * width, width)
    y = graph.node("Mul", y, graph.random(width, scale=0.1))
    return graph.node("Add", x, graph.node("Transpose", y, perm=[0, 3, 1, 2]))


def _norm_channels(graph: Graph, x: str, width: int) -> str:
    """Layer norm over the channels of (N, C, H, W)."""
    last = graph.layer_norm(graph.node("Transpose", x, perm=[0, 2, 3, 1]), width)
    return graph.node("Transpose", last, perm=[0, 3, 1, 2])


SMALL = Workload("bench-small", small, TENSOR_CONTRACT)
IQ = Workload("bench-iq", small, IQ_CONTRACT)
TINY = Workload("bench-tiny", lambda: convnext(TINY_DEPTHS, TINY_WIDTHS), TENSOR_CONTRACT)
LARGE = Workload("bench-large", lambda: convnext(LARGE_DEPTHS, LARGE_WIDTHS), TENSOR_CONTRACT)
