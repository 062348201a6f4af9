"""mlflow's ONNX flavour, imported without the warnings that it gives about type hints of its own."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.pyfunc  # noqa: F401 - the ONNX flavour imports it late otherwise
    from mlflow.models import ModelSignature
    from mlflow.onnx import save_model
    from mlflow.types.schema import Schema, TensorSpec

__all__ = ["ModelSignature", "Schema", "TensorSpec", "save_model"]
