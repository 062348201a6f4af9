"""The one thing that every peer serves: $MODEL, (N, 3, 128, 32) float32 in, with $THREADS threads a call."""

import os

import numpy as np
import onnxruntime

ROW = (3, 128, 32)


def load():
    """An inference session and the name of its input."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["THREADS"])
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
    return session, session.get_inputs()[0].name


def tensor(body):
    """Rows from raw bytes."""
    return np.frombuffer(body, np.float32).reshape(-1, *ROW)
