# syntax=docker/dockerfile:1
# The control plane, and the commands that talk to the registry (`fixgate register`, `promote`, `status` …).
# docker build --file deploy/docker/sync.Dockerfile --tag fixgate-sync .

FROM python:3.11.13-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY contract ./contract
COPY sync ./sync
COPY cli ./cli
RUN python -m venv /opt/fixgate \
    && /opt/fixgate/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".[s3,sync]"

FROM python:3.11.13-slim-bookworm
LABEL org.opencontainers.image.title="fixgate sync" \
      org.opencontainers.image.licenses="Apache-2.0"
# A volume takes its owner and its folders from here when it is first mounted: repository and staging on one mount.
RUN groupadd --gid 10001 fixgate \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/fixgate fixgate \
    && install --directory --owner=10001 --group=10001 \
       /var/lib/fixgate /models /models/model_repository /models/staging
COPY --from=build /opt/fixgate /opt/fixgate
ENV PATH=/opt/fixgate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    FIXGATE_HOME=/var/lib/fixgate \
    FIXGATE_MODEL_REPOSITORY=/models/model_repository \
    FIXGATE_STAGING=/models/staging \
    FIXGATE_SYNC_HOST=0.0.0.0
WORKDIR /var/lib/fixgate
USER 10001:10001
EXPOSE 8081
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-P", "-m", "sync"]
