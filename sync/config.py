"""Options of sync, read once from the environment (docs/sync.md lists them all)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from contract.environment import PREFIX, SecretFileError, with_secrets
from contract.redis_url import sentinels
from sync import s3_url
from sync.errors import Misconfigured

FALLBACKS = {
    "mlflow_uri": "MLFLOW_TRACKING_URI",
    "redis_url": "REDIS_URL",
    "default_model": "MLFLOW_MODEL_NAME",
}

Positive = Annotated[float, msgspec.Meta(gt=0)]
SECRET = ("redis_url", "mlflow_uri", "webhook_secret")
"""What these hold is not shown: there may be a password in it."""

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every option; the environment variable is `FIXGATE_` and the name in capitals.

    Seconds, megabytes and counts; 0 for `threads`, `max_batch_size` … means "choose" where it is allowed.
    """

    home: Path = Path(".fixgate")
    mlflow_uri: str = "http://127.0.0.1:5000"
    redis_url: str = "redis://127.0.0.1:6380/0"
    model_repository: str = "model_repository"
    staging: Path | None = None
    triton_http: tuple[str, ...] = ("127.0.0.1:8000",)
    sync_host: str = "127.0.0.1"
    sync_port: Port = 8081
    models: tuple[str, ...] = ("*",)
    default_model: str | None = None
    poll_s: Positive = 0.5
    versions_s: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    keep: Annotated[int, msgspec.Meta(ge=0, le=100)] = 1
    max_batch_size: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 32
    instances: Annotated[int, msgspec.Meta(ge=0, le=256)] = 0
    threads: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 0
    kind: Literal["cpu", "gpu"] = "cpu"
    preflight_timeout_s: Positive = 120.0
    preflight_memory_mb: Annotated[int, msgspec.Meta(ge=0)] = 0
    load_timeout_s: Positive = 60.0
    drain_s: Annotated[float, msgspec.Meta(ge=0)] = 35.0
    unalias_s: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    unready_s: Positive = 15.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "text"] = "auto"
    webhook_secret: str = ""
    mlflow_public_url: str | None = None

    @property
    def staging_folder(self) -> Path:
        """Where versions are made ready: outside the repository; if that is a folder, on its mount."""
        return self.staging or self.home / "staging"


def known_names() -> frozenset[str]:
    """Every environment variable that sync reads."""
    return frozenset(PREFIX + name.upper() for name in Config.__struct_fields__)


def from_env(environment: Mapping[str, str] = os.environ) -> Config:
    """Read the options.

    Raises:
        Misconfigured: a value of the wrong type or out of range; names the variable.
    """
    try:
        environment = with_secrets(environment)
    except SecretFileError as error:
        raise Misconfigured(str(error)) from None
    variables: dict[str, str] = {}
    for name in Config.__struct_fields__:
        names = (PREFIX + name.upper(), FALLBACKS.get(name, ""))
        if found := next((one for one in names if environment.get(one)), None):
            variables[name] = found
    given = {name: environment[variable] for name, variable in variables.items()}
    values: dict[str, Any] = dict(given)
    for name in ("triton_http", "models"):
        if name in values:
            values[name] = [part.strip() for part in given[name].split(",") if part.strip()]
    try:
        s3_url.parse(values.get("model_repository", ""))
        config = msgspec.convert(values, Config, strict=False, dec_hook=_decode)
    except s3_url.NotAnS3Url as error:
        raise Misconfigured(
            f"FIXGATE_MODEL_REPOSITORY: {error}; got {values['model_repository']!r}"
        ) from error
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`").split("[")[0]
        shown = "" if name in SECRET else f"; got {given[name]!r}"
        raise Misconfigured(f"{variables[name]}: {message}{shown}") from error
    try:
        sentinels(config.redis_url)
    except ValueError as error:
        raise Misconfigured(f"{variables['redis_url']}: {error}") from None
    return config


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)
