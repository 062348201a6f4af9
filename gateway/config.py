"""The gateway's options, read once from the environment; nothing else here reads it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from contract.environment import PREFIX

FALLBACKS = {"redis_url": "REDIS_URL", "default_model": "MLFLOW_MODEL_NAME"}

Address = Annotated[str, Meta(pattern=r"^[^\s,/]+:[0-9]{1,5}$")]
Milliseconds = Annotated[int, Meta(ge=1, le=600_000)]
Seconds = Annotated[float, Meta(ge=0, le=3600)]


class ConfigError(ValueError):
    """An option that cannot be used; the message names it and what is allowed."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every option; the environment variable is `FIXGATE_` and the name in capitals.

    host, port: where to listen.
    home: folder for the snapshot of the catalogue.
    log_level: debug, info, warning or error.
    redis_url: the catalogue and the shared cache; `redis://`, `rediss://` or `unix://`.
    triton_grpc: Triton's gRPC endpoints, host:port, comma separated.
    default_model: what `/predict` means; not given: the catalogue's default, or its only model.
    max_body_bytes: largest request body, after decompression.
    cache_ttl_s: how long a fix is cached.
    cache_l1_bytes: memory for cached fixes in this process; 0 = none.
    predict_timeout_ms, batch_timeout_ms: time for a request that names none.
    max_timeout_ms: the longest time a request may ask for.
    calls_in_flight: Triton calls under way at once for one version and row shape.
    signal_threads: threads for the signal front-end; 0 = one per core.
    drain_delay_s: after SIGTERM, go on accepting for this long while `/ready` says 503.
    drain_timeout_s: after that, requests under way may take this long to end.
    """

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 8080
    home: Path = Path(".fixgate")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    redis_url: Annotated[str, Meta(pattern=r"^(redis|rediss|unix)://")] = "redis://127.0.0.1:6380/0"
    triton_grpc: Annotated[tuple[Address, ...], Meta(min_length=1)] = ("127.0.0.1:8001",)
    default_model: Annotated[str, Meta(min_length=1)] | None = None
    max_body_bytes: Annotated[int, Meta(ge=1024, le=1 << 34)] = 64 << 20
    cache_ttl_s: Annotated[int, Meta(ge=1, le=30 * 86_400)] = 3600
    cache_l1_bytes: Annotated[int, Meta(ge=0, le=1 << 40)] = 64 << 20
    predict_timeout_ms: Milliseconds = 2_000
    batch_timeout_ms: Milliseconds = 10_000
    max_timeout_ms: Milliseconds = 60_000
    calls_in_flight: Annotated[int, Meta(ge=1, le=64)] = 2
    signal_threads: Annotated[int, Meta(ge=0, le=256)] = 0
    drain_delay_s: Seconds = 0.0
    drain_timeout_s: Seconds = 30.0

    @property
    def snapshot(self) -> Path:
        """Where the last good catalogue is kept."""
        return self.home / "gateway" / "catalog.json"


def known_names() -> frozenset[str]:
    """Every `FIXGATE_` variable that the gateway reads."""
    return frozenset(map(_variable, Config.__struct_fields__))


def from_env(environment: Mapping[str, str] = os.environ) -> Config:
    """Read the options; an empty value counts as not given.

    Raises:
        ConfigError: a value of the wrong type or out of range; names the variable.
    """
    found: dict[str, str] = {}
    for name in Config.__struct_fields__:
        variables = (_variable(name), FALLBACKS.get(name, ""))
        if variable := next((one for one in variables if environment.get(one)), None):
            found[name] = variable
    values: dict[str, Any] = {name: environment[variable] for name, variable in found.items()}
    if "triton_grpc" in values:
        values["triton_grpc"] = [part.strip() for part in values["triton_grpc"].split(",") if part.strip()]
    try:
        return msgspec.convert(values, Config, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`").split("[")[0]
        shown = "" if name == "redis_url" else f", got {environment[found[name]]!r}"  # it may hold a password
        raise ConfigError(f"{found[name]}: {message}{shown}") from None


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)
