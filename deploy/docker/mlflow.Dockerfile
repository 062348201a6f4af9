# syntax=docker/dockerfile:1
# MLflow's server with drivers for PostgreSQL and S3, which its own image lacks.
# docker build --file deploy/docker/mlflow.Dockerfile --tag fixgate-mlflow .

FROM python:3.11.13-slim-bookworm AS build
WORKDIR /build
COPY deploy/docker/mlflow.txt ./
RUN python -m venv /opt/mlflow \
    && /opt/mlflow/bin/pip install --no-cache-dir --disable-pip-version-check -r mlflow.txt

FROM python:3.11.13-slim-bookworm
LABEL org.opencontainers.image.title="fixgate MLflow"
RUN groupadd --gid 10001 fixgate \
    && useradd --uid 10001 --gid 10001 --no-create-home fixgate
COPY --from=build /opt/mlflow /opt/mlflow
COPY deploy/docker/mlflow-start.sh deploy/docker/mlflow-bucket.py /opt/mlflow/bin/
ENV PATH=/opt/mlflow/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
WORKDIR /tmp
USER 10001:10001
EXPOSE 5000
STOPSIGNAL SIGTERM
ENTRYPOINT ["sh", "/opt/mlflow/bin/mlflow-start.sh"]
