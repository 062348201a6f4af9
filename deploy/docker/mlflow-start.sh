#!/bin/sh
# MLflow reads these from its environment only: take them from files, then become MLflow.
set -eu

secret() {
    if [ ! -s "$1" ]; then
        echo "mlflow-start: $1 is missing or empty" >&2
        exit 1
    fi
    cat "$1"
}

MLFLOW_BACKEND_STORE_URI="$(secret "${DATABASE_URI_FILE:?}")"
MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY="$(secret "${WEBHOOK_KEY_FILE:?}")"
export MLFLOW_BACKEND_STORE_URI MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY

exec mlflow server --host "${LISTEN:-0.0.0.0}" --port "${PORT:-5000}" --workers "${WORKERS:-2}" \
    --serve-artifacts --artifacts-destination "${ARTIFACTS:?}" --allowed-hosts "${ALLOWED_HOSTS:?}"
