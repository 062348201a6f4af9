"""ONNX graphs node by node: the few layers that the workloads are made of, with random weights."""

from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
INPUT, POSITIONS, UNCERTAINTIES = "mel_spectrogram", "positions", "uncertainties"
ROW = (3, 128, 32)
CENTRE_DEG, SPREAD_DEG, SIGMA_DEG = (45.0, 9.0), 2.0, 0.02


@dataclass(slots=True)
class Graph:
    """Nodes and weights in the order in which they are added; every method returns its output's name."""

    rng: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: object) -> str:
        """Any operator with one output."""
        name = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def weight(self, array: NDArray[np.generic]) -> str:
        """A stored tensor."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def random(self, *shape: int, scale: float = 0.02) -> str:
        """A stored tensor of normal float32 numbers."""
        return self.weight((self.rng.standard_normal(shape) * scale).astype(np.float32))

    def constant(self, *values: float) -> str:
        """A stored float32 vector, or a scalar for one value."""
        return self.weight(np.array(values if len(values) > 1 else values[0], np.float32))

    def convolution(
        self, x: str, channels: tuple[int, int], kernel: int, stride: int, groups: int = 1
    ) -> str:
        """2-D convolution (in, out channels), padded to size/stride where the kernel overlaps."""
        into, out = channels
        scale = float(np.sqrt(2 / (into // groups * kernel * kernel)))
        pad = (kernel - 1) // 2 if kernel > stride else 0
        return self.node(
            "Conv",
            x,
            self.random(out, into // groups, kernel, kernel, scale=scale),
            self.random(out),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[pad] * 4,
            group=groups,
        )

    def linear(self, x: str, into: int, out: int) -> str:
        """Matrix product over the last axis, and a bias."""
        product = self.node("MatMul", x, self.random(into, out, scale=float(np.sqrt(1 / into))))
        return self.node("Add", product, self.random(out))

    def layer_norm(self, x: str, channels: int) -> str:
        """Over the last axis."""
        gain = self.weight(np.ones(channels, np.float32))
        return self.node("LayerNormalization", x, gain, self.random(channels), axis=-1, epsilon=1e-6)

    def gelu(self, x: str) -> str:
        """The exact one, as exporters write it in opset 17."""
        erf = self.node("Erf", self.node("Div", x, self.constant(float(np.sqrt(2)))))
        product = self.node("Mul", x, self.node("Add", erf, self.constant(1.0)))
        return self.node("Mul", product, self.constant(0.5))

    def heads(self, features: str, width: int) -> None:
        """Positions by tanh around a centre, σ in degrees by softplus: a valid fix whatever goes in."""
        place = self.node("Tanh", self.linear(features, width, 2))
        offset = self.node("Mul", place, self.constant(SPREAD_DEG))
        self.node("Add", offset, self.constant(*CENTRE_DEG), output=POSITIONS)
        spread = self.node("Softplus", self.linear(features, width, 2))
        self.node("Mul", spread, self.constant(SIGMA_DEG), output=UNCERTAINTIES)

    def model(self, name: str) -> onnx.ModelProto:
        """(N, 3, 128, 32) to positions (N, 2) and uncertainties (N, 2), all float32; N is free."""
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", *ROW])],
            [
                helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", 2])
                for output in (POSITIONS, UNCERTAINTIES)
            ],
            self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
