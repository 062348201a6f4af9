"""Train the demo networks and export them to ONNX (PyTorch, CPU; the same seeds give the same weights)."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from demo.contracts import FRONTEND, INPUT, POSITIONS, UNCERTAINTIES
from demo.dataset import Dataset, Features
from demo.network import Head, Localizer, negative_log_likelihood, pool, to_outputs
from demo.scene import RECEIVERS

logger = logging.getLogger(__name__)

_OPSET = 18  # ONNX Runtime 1.14 and later; Triton's containers of 2023 and later
_THREADS = 2  # sums in another order give other weights: fixed, whatever the machine


@dataclass(frozen=True, slots=True)
class Recipe:
    """One network and how it is trained; it sees the first `recordings` of the training series."""

    seed: int
    recordings: int
    code: int
    width: int
    depth: int
    epochs: int
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.0


def pooled(features: Features) -> NDArray[np.float32]:
    """The network's first layer, which has no weights, applied once instead of in every epoch."""
    torch.set_num_threads(1)
    result: NDArray[np.float32] = pool(torch.from_numpy(features)).numpy()
    return result


def train(recipe: Recipe, data: Dataset) -> Head:
    """A head trained by Gaussian negative log-likelihood on `pooled` features."""
    torch.set_num_threads(_THREADS)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(recipe.seed)
    pooled_features = torch.from_numpy(data.reduced[: recipe.recordings])
    truth = torch.from_numpy(data.positions[: recipe.recordings]).float()
    head = Head(len(RECEIVERS), FRONTEND.n_mels, recipe.code, recipe.width, recipe.depth)
    optimiser = torch.optim.AdamW(
        head.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    steps = len(truth) // recipe.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.epochs * steps
    )
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(truth))[: steps * recipe.batch].view(steps, recipe.batch)
        total = 0.0
        for rows in order:
            loss = negative_log_likelihood(*to_outputs(head(pooled_features[rows])), truth[rows])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        logger.info("epoch %d of %d: %.3f nats", epoch + 1, recipe.epochs, total / steps)
    head.eval()
    return head


def parameter_count(head: Head) -> int:
    """Trained numbers in the network."""
    return sum(parameter.numel() for parameter in head.parameters())


def export(head: Head, path: Path) -> None:
    """Write one self-contained ONNX file with a dynamic batch axis."""
    example = torch.zeros(2, len(RECEIVERS), FRONTEND.n_mels, FRONTEND.frames)
    program = torch.onnx.export(
        Localizer(head).eval(),
        (example,),
        input_names=[INPUT],
        output_names=[POSITIONS, UNCERTAINTIES],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=_OPSET,
        dynamo=True,
        verbose=False,
    )
    model = program.model_proto
    _forget_source_lines(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _forget_source_lines(model: onnx.ModelProto) -> None:
    """The exporter notes where in whose source each node came from: large, and of no use to a server."""
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.value_info, model.graph):
        del part.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
