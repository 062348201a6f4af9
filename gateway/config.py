"""The gateway's options, read once from the environment; nothing else here reads it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from contract.environment import PREFIX, SecretFileError, with_secrets
from contract.redis_url import sentinels

LISTS = ("triton_grpc", "triton_http", "cors_origins")
"""Options of several values, comma separated."""

FALLBACKS = {"redis_url": "REDIS_URL", "default_model": "MLFLOW_MODEL_NAME"}

Address = Annotated[str, Meta(pattern=r"^[^\s,/]+:[0-9]{1,5}$")]
Milliseconds = Annotated[int, Meta(ge=1, le=600_000)]
Origin = Annotated[str, Meta(pattern=r"^(\*|[a-z][a-z0-9+.-]*://[a-z0-9.\-\[\]:]+)\Z")]
Rate = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,8}/(second|minute|hour|day)\Z")]
_TILES = r"^(?=.*\{z\})(?=.*\{x\})(?=.*\{y\})(https?://[A-Za-z0-9.:{}\[\]-]+)?/[^\s,;\"'<>]*\Z"
Tiles = Annotated[str, Meta(pattern=_TILES)]
Seconds = Annotated[float, Meta(ge=0, le=3600)]


class ConfigError(ValueError):
    """An option that cannot be used; the message names it and what is allowed."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every option; the environment variable is `FIXGATE_` and the name in capitals.

    host, port: where to listen.
    workers: processes that answer requests; each has a memory cache and limits of its own.
    home: folder for the snapshot of the catalogue.
    log_level: debug, info, warning or error.
    redis_url: the catalogue and the shared cache; `redis://`, `rediss://`, `unix://`, or Sentinels:
        `redis+sentinel://host:port,host:port/NAME` (docs/operations.md).
    triton_grpc: Triton's gRPC endpoints, host:port, comma separated.
    triton_http: the same Tritons' HTTP endpoints, in the same order; if given, calls go by HTTP.
    triton_shm: `auto`, `on` or `off`; whether rows go to a Triton on this host through shared memory.
    default_model: what `/predict` means; not given: the catalogue's default, or its only model.
    max_body_bytes: largest request body, after decompression.
    cache_ttl_s: how long a fix is cached.
    cache_l1_bytes: memory for cached fixes in this process; 0 = none.
    predict_timeout_ms, batch_timeout_ms: time for a request that names none.
    max_timeout_ms: the longest time a request may ask for.
    objective_ms: what an answer should take at most; a request that would take longer gets 503 at once.
    max_queued_bytes: bytes that requests under way may hold together; what comes on top gets 503.
    calls_in_flight: calls under way at once for one version and row shape, for each Triton: as many as the
        version has instances, or one more. Workers share them, one each at least.
    signal_threads: threads for the signal front-end; 0 = one per core that this process may use.
    shadow_share: of the answers, how many the version with the alias `shadow` is given a copy of; 0 = none.
    remember: `on` or `off`; off keeps no prediction anywhere: no recent localisations, no feedback.
    remember_s: how long feedback may be given for a prediction.
    remember_count: predictions remembered at most, by all gateways on one Redis; the oldest go first.
    drain_delay_s: after SIGTERM, go on accepting for this long while `/ready` says 503.
    drain_timeout_s: after that, requests under way may take this long to end.
    api_keys_file: API keys, made with `fixgate keys add`; not given: no keys are asked for (docs/access.md).
    rate_limit: for each API key, or for each client address without keys, e.g. `100/second`; not given: none.
    max_concurrent_requests: answered at once by this process; what comes on top gets 503.
    heimdall_metrics: `on` exports Heimdall's names beside ours (docs/metrics.md).
    log_format: `json` lines or `text`; `auto` = text on a terminal, JSON elsewhere.
    log_requests_per_s: answered requests logged at most each second, and as many that failed; 0 = none.
    keepalive_s: a connection is closed when it has not brought the whole head of a request for this long.
    send_timeout_s: and when its client has taken nothing more of an answer for this long.
    tls_cert, tls_key: certificate chain and private key (PEM); both, or neither for plain HTTP.
    cors_origins: pages of these may call, comma separated, e.g. `https://map.example`; `*` = all.
    console_tiles, console_tiles_credit: tiles under the console's map, e.g. `https://tile.example/{z}/{x}/{y}.png`,
        and the words of thanks that their makers ask for; not given: its own outline.
    console_samples: folder of npy recordings that the console offers to try.
    """

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 8080
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    home: Path = Path(".fixgate")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    redis_url: str = "redis://127.0.0.1:6380/0"
    triton_grpc: Annotated[tuple[Address, ...], Meta(min_length=1)] = ("127.0.0.1:8001",)
    triton_http: tuple[Address, ...] = ()
    triton_shm: Literal["auto", "on", "off"] = "auto"
    default_model: Annotated[str, Meta(min_length=1)] | None = None
    max_body_bytes: Annotated[int, Meta(ge=1024, le=1 << 34)] = 64 << 20
    cache_ttl_s: Annotated[int, Meta(ge=1, le=30 * 86_400)] = 3600
    cache_l1_bytes: Annotated[int, Meta(ge=0, le=1 << 40)] = 64 << 20
    predict_timeout_ms: Milliseconds = 2_000
    batch_timeout_ms: Milliseconds = 10_000
    max_timeout_ms: Milliseconds = 60_000
    objective_ms: Milliseconds = 500
    max_queued_bytes: Annotated[int, Meta(ge=1024, le=1 << 40)] = 512 << 20
    calls_in_flight: Annotated[int, Meta(ge=1, le=64)] = 2
    signal_threads: Annotated[int, Meta(ge=0, le=256)] = 0
    shadow_share: Annotated[float, Meta(ge=0, le=1)] = 1.0
    remember: Literal["on", "off"] = "on"
    remember_s: Annotated[int, Meta(ge=1, le=30 * 86_400)] = 86_400
    remember_count: Annotated[int, Meta(ge=1, le=10_000_000)] = 100_000
    drain_delay_s: Seconds = 0.0
    drain_timeout_s: Seconds = 30.0
    api_keys_file: Path | None = None
    rate_limit: Rate | None = None
    max_concurrent_requests: Annotated[int, Meta(ge=1, le=1_000_000)] = 1024
    heimdall_metrics: Literal["on", "off"] = "on"
    log_format: Literal["auto", "json", "text"] = "auto"
    log_requests_per_s: Annotated[int, Meta(ge=0, le=1_000_000)] = 20
    keepalive_s: Annotated[float, Meta(gt=0, le=86_400)] = 75.0
    send_timeout_s: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    tls_cert: Path | None = None
    tls_key: Path | None = None
    cors_origins: tuple[Origin, ...] = ()
    console_tiles: Tiles | None = None
    console_tiles_credit: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    console_samples: Path | None = None

    @property
    def all_calls_in_flight(self) -> int:
        """Of all workers, to all Tritons together."""
        return self.calls_in_flight * len(self.triton_grpc)

    @property
    def own_calls_in_flight(self) -> int:
        """What this process may have under way, to all Tritons together, while all other workers have too."""
        return max(1, self.calls_in_flight // self.workers) * len(self.triton_grpc)

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
        ConfigError: a value of the wrong type or out of range, or half of a pair; names the variable.
    """
    try:
        environment = with_secrets(environment)
    except SecretFileError as error:
        raise ConfigError(str(error)) from None
    found: dict[str, str] = {}
    for name in Config.__struct_fields__:
        variables = (_variable(name), FALLBACKS.get(name, ""))
        if variable := next((one for one in variables if environment.get(one)), None):
            found[name] = variable
    values: dict[str, Any] = {name: environment[variable] for name, variable in found.items()}
    for name in LISTS:
        if name in values:
            values[name] = [part.strip() for part in values[name].split(",") if part.strip()]
    if ("tls_cert" in values) != ("tls_key" in values):
        raise ConfigError("FIXGATE_TLS_CERT, FIXGATE_TLS_KEY: give both, or neither for plain HTTP")
    try:
        config = msgspec.convert(values, Config, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`").split("[")[0]
        raise ConfigError(f"{found[name]}: {message}, got {environment[found[name]]!r}") from None
    try:
        sentinels(config.redis_url)
    except ValueError as error:
        raise ConfigError(f"{found['redis_url']}: {error}") from None
    if config.triton_http and len(config.triton_http) != len(config.triton_grpc):
        raise ConfigError("FIXGATE_TRITON_HTTP: give as many as FIXGATE_TRITON_GRPC, in the same order")
    return config


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)
