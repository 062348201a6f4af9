"""The control plane: reconciles an MLflow registry into a Triton model repository."""
