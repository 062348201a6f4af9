"""The exported models through ONNX Runtime, as a server would run them."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from demo.contracts import INPUT, POSITIONS, UNCERTAINTIES
from demo.dataset import Features

Float32 = NDArray[np.float32]


def predict(model: Path, features: Features) -> tuple[Float32, Float32]:
    """Features (N, 3, 128, 32) to positions (N, 2) and uncertainties (N, 3)."""
    positions, uncertainties = _session(model).run([POSITIONS, UNCERTAINTIES], {INPUT: features})
    return positions, uncertainties


def predict_each(models: tuple[Path, ...], features: Features) -> Float32:
    """Every model's answer side by side: (N, models, 5)."""
    answers = [np.concatenate(predict(model, features), axis=1) for model in models]
    return np.stack(answers, axis=1)


@lru_cache
def _session(model: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
