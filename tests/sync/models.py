"""Tiny ONNX models for tests: features (N, 3, 8, 4) in, position and σ out."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPE = (3, 8, 4)
CONTRACT: dict[str, Any] = {
    "schema": 1,
    "input": {
        "tensor": "mel_spectrogram",
        "kind": "mel",
        "receivers": 3,
        "frontend": {"n_mels": 8, "frames": 4},
    },
    "output": {
        "position": {"tensor": "positions", "order": ["latitude", "longitude"]},
        "uncertainty": {
            "tensor": "uncertainties",
            "kind": "sigma",
            "units": "degrees",
            "order": ["north", "east"],
        },
    },
}
"""The contract of every model made here."""


def localiser(seed: int = 0, *, batch: int | str = "N", width: int = 2) -> onnx.ModelProto:
    """One linear layer: position near 45° N 9° E, σ in degrees, both moved a little by the input."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(SHAPE))
    weights = {
        "w_position": (rng.normal(size=(size, 2)) * 1e-3).astype(np.float32),
        "b_position": np.array([45.0 + seed * 1e-2, 9.0], np.float32),
        "w_sigma": (rng.normal(size=(size, width)) * 1e-4).astype(np.float32),
        "b_sigma": np.full(width, 0.02, np.float32),
    }
    nodes = [
        helper.make_node("Flatten", ["mel_spectrogram"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "w_position", "b_position"], ["positions"]),
        helper.make_node("Gemm", ["flat", "w_sigma", "b_sigma"], ["sigma"]),
        helper.make_node("Abs", ["sigma"], ["uncertainties"]),
    ]
    return model(nodes, weights, batch=batch, width=width)


def model(
    nodes: list[onnx.NodeProto],
    weights: dict[str, Any],
    *,
    batch: int | str = "N",
    width: int = 2,
    opset: int = 17,
) -> onnx.ModelProto:
    """A graph with the inputs and outputs of `localiser` around these nodes."""
    graph = helper.make_graph(
        nodes,
        "localiser",
        [helper.make_tensor_value_info("mel_spectrogram", TensorProto.FLOAT, [batch, *SHAPE])],
        [
            helper.make_tensor_value_info("positions", TensorProto.FLOAT, [batch, 2]),
            helper.make_tensor_value_info("uncertainties", TensorProto.FLOAT, [batch, width]),
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def save(path: Path, seed: int = 0) -> Path:
    """A localiser in a file."""
    path.write_bytes(localiser(seed).SerializeToString())
    return path
