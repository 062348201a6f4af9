# syntax=docker/dockerfile:1
# The data plane. No MLflow, no Triton, no compiler in what runs.
# docker build --file deploy/docker/gateway.Dockerfile --tag fixgate-gateway .

FROM python:3.11.13-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY contract ./contract
COPY gateway ./gateway
COPY cli ./cli
RUN python -m venv /opt/fixgate \
    && /opt/fixgate/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".[gateway,otel]"

FROM python:3.11.13-slim-bookworm
LABEL org.opencontainers.image.title="fixgate gateway" \
      org.opencontainers.image.licenses="Apache-2.0"
# One user for gateway, sync and Triton: they share files and POSIX shared memory.
RUN groupadd --gid 10001 fixgate \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/fixgate fixgate \
    && install --directory --owner=10001 --group=10001 /var/lib/fixgate /etc/fixgate/keys
COPY --from=build /opt/fixgate /opt/fixgate
ENV PATH=/opt/fixgate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FIXGATE_HOST=0.0.0.0 \
    FIXGATE_HOME=/var/lib/fixgate
WORKDIR /var/lib/fixgate
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-P", "-m", "gateway"]
