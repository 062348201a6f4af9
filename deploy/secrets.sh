#!/bin/sh
# Make every secret of docker-compose.yml that is not there yet, in ./secrets (or the folder given).
# The folder is its owner's alone; the files in it can be read by any user of a container that mounts them.
set -eu
folder="${1:-secrets}"
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

random() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }
keep() { # keep NAME: what comes on standard input becomes the file, unless there is one
    if [ -s "$1" ]; then cat > /dev/null; else cat > "$1.new" && chmod 444 "$1.new" && mv "$1.new" "$1"; fi
}

random 24 | keep redis_password
printf 'redis://:%s@redis:6379/0' "$(cat redis_password)" | keep redis_url
random 32 | keep webhook_secret
random 24 | keep postgres_password
printf 'postgresql+psycopg2://mlflow:%s@postgres:5432/mlflow' "$(cat postgres_password)" | keep mlflow_database_uri
head -c 32 /dev/urandom | base64 | tr '+/' '-_' | keep mlflow_webhook_key
random 24 | keep grafana_admin_password
random 24 | keep s3_secret_key
printf '[default]\naws_access_key_id = mlflow\naws_secret_access_key = %s\n' "$(cat s3_secret_key)" | keep s3_credentials
printf '{"identities": [{"name": "mlflow", "credentials": [{"accessKey": "mlflow", "secretKey": "%s"}],\n  "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}\n' "$(cat s3_secret_key)" | keep s3_config
# A key of the gateway's with the scope `read`; until it is one, Prometheus gets 401 (docs/operations.md).
[ -e prometheus_api_key ] || { : > prometheus_api_key; chmod 444 prometheus_api_key; }
