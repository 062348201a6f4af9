"""From options to the parts of the stack, in the order in which they are started."""

import http.client
import json
import os
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from stack.mlflow_server import mlflow_part
from stack.options import Options
from stack.part import LOOPBACK, CannotStart, Part, http_ok
from stack.redis_server import answers, redis_part
from stack.triton_server import TritonPorts, triton_part

PYTHON = (sys.executable, "-P", "-m")
"""Runs a module of ours, whatever files lie in the working directory."""

SAMPLES = "FIXGATE_CONSOLE_SAMPLES"


def parts(options: Options) -> list[Part]:
    """Redis, MLflow, Triton, the first models, sync, the gateway; without those that run elsewhere.

    Raises:
        CannotStart: something that a part needs is not installed, or what runs elsewhere does not answer.
    """
    ports = TritonPorts(options.triton_http_port, options.triton_grpc_port, options.triton_metrics_port)
    triton = triton_part(options.home, options.model_repository, ports)
    stores: list[Part] = []
    if options.redis_url:
        _check_redis(options.redis_url)
    else:
        stores.append(redis_part(options.home, options.redis_port))
    if options.mlflow_uri:
        _check_mlflow(options.mlflow_uri)
    else:
        stores.append(mlflow_part(options.home, options.mlflow_port))
    started = tuple(part.name for part in stores)
    environment = shared_environment(options)
    first = [_first_models(options, environment, started)] if options.register else []
    return [
        *stores,
        triton,
        *first,
        _sync(options, environment, started),
        _gateway(options, environment, started),
    ]


def shared_environment(options: Options) -> dict[str, str | None]:
    """What sync, the gateway and `fixgate register` are told."""
    default = options.default_model or options.first_model
    return {
        "FIXGATE_HOME": str(options.home),
        "FIXGATE_REDIS_URL": redis_url(options),
        "FIXGATE_MLFLOW_URI": mlflow_uri(options),
        "FIXGATE_MODEL_REPOSITORY": str(options.model_repository),
        "FIXGATE_TRITON_HTTP": f"{LOOPBACK}:{options.triton_http_port}",
        "FIXGATE_TRITON_GRPC": f"{LOOPBACK}:{options.triton_grpc_port}",
        "FIXGATE_SYNC_HOST": LOOPBACK,
        "FIXGATE_SYNC_PORT": str(options.sync_port),
        "FIXGATE_HOST": options.host,
        "FIXGATE_PORT": str(options.port),
        **({"FIXGATE_DEFAULT_MODEL": default} if default else {}),
    }


def redis_url(options: Options) -> str:
    """The Redis in use."""
    return options.redis_url or f"redis://{LOOPBACK}:{options.redis_port}"


def mlflow_uri(options: Options) -> str:
    """The MLflow in use."""
    return options.mlflow_uri or f"http://{LOOPBACK}:{options.mlflow_port}"


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    url = re.sub("(?<=[?&]sentinel_password=)[^&]*", "***", url)
    split = urlsplit(url)
    if split.password is None:
        return url
    shown = split.netloc.replace(f":{split.password}@", ":***@")
    return urlunsplit(split._replace(netloc=shown))


def _first_models(options: Options, environment: dict[str, str | None], after: tuple[str, ...]) -> Part:
    return Part(
        name="models",
        command=(
            *(*PYTHON, "stack.first_models", str(options.home / "first_models.registered")),
            *(mlflow_uri(options), options.first_model, json.dumps(options.register)),
        ),
        folder=Path.cwd(),
        address=mlflow_uri(options),
        ready=None,
        environment={**environment, "MLFLOW_TRACKING_URI": mlflow_uri(options)},
        after=tuple(name for name in after if name == "mlflow"),
    )


def _sync(options: Options, environment: dict[str, str | None], after: tuple[str, ...]) -> Part:
    return Part(
        name="sync",
        command=(*PYTHON, "sync"),
        folder=Path.cwd(),
        address=f"http://{LOOPBACK}:{options.sync_port}",
        ready=lambda: http_ok(options.sync_port, "/health"),
        environment=environment,
        after=after,
        stop_timeout_s=20.0,
    )


def _gateway(options: Options, environment: dict[str, str | None], after: tuple[str, ...]) -> Part:
    address = options.gateway_url
    samples = {SAMPLES: os.environ.get(SAMPLES) or str(options.example.parent)} if options.example else {}
    return Part(
        name="gateway",
        command=(*PYTHON, "gateway"),
        folder=Path.cwd(),
        address=address,
        ready=lambda: http_ok(options.port, "/health", urlsplit(address).hostname or LOOPBACK),
        environment={**environment, **samples, "FIXGATE_WORKERS": str(options.workers)},
        after=tuple(name for name in after if name == "redis"),
        stop_timeout_s=35.0,
    )


def _check_redis(url: str) -> None:
    try:
        found = answers(url)
    except ValueError as error:
        raise CannotStart(f"--redis-url / FIXGATE_REDIS_URL / REDIS_URL: {error}") from None
    if not found:
        raise CannotStart(
            f"the Redis at {without_password(url)} does not answer: start it, correct --redis-url / "
            "FIXGATE_REDIS_URL / REDIS_URL, or leave all three unset to have one started here"
        )


def _check_mlflow(uri: str) -> None:
    """Any HTTP answer will do; other kinds of store are left to sync."""
    if urlsplit(uri).scheme not in {"http", "https"}:
        return
    try:
        with urllib.request.urlopen(uri, timeout=5.0):  # noqa: S310 - the scheme was checked  # nosec B310
            return
    except urllib.error.HTTPError:
        return
    except (OSError, http.client.HTTPException) as error:
        raise CannotStart(
            f"the MLflow server at {without_password(uri)} does not answer ({error}): start it, correct "
            "--mlflow-uri / FIXGATE_MLFLOW_URI / MLFLOW_TRACKING_URI, or leave all three unset to have one "
            "started here"
        ) from None
