"""Saves $MODEL as an MLflow model in the folder argv[1], for `mlflow models serve`."""

import os
import sys

import mlflow.onnx
import onnx

mlflow.onnx.save_model(
    onnx.load(os.environ["MODEL"]),
    sys.argv[1],
    onnx_session_options={"intra_op_num_threads": int(os.environ["THREADS"])},
    pip_requirements=["onnxruntime"],
)
