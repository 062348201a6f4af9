"""Redis, MLflow, Triton, sync and the gateway on one machine, without containers."""
