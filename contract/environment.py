"""Every `FIXGATE_` name that some part of fixgate reads, so that each part can report one that none does."""

from collections.abc import Iterable, Mapping
from pathlib import Path

PREFIX = "FIXGATE_"

SHARED = frozenset(
    {
        "FIXGATE_DEFAULT_MODEL",
        "FIXGATE_HOME",
        "FIXGATE_LOG_FORMAT",
        "FIXGATE_LOG_LEVEL",
        "FIXGATE_REDIS_URL",
    }
)

GATEWAY = frozenset(
    {
        "FIXGATE_API_KEYS_FILE",
        "FIXGATE_BATCH_TIMEOUT_MS",
        "FIXGATE_CACHE_L1_BYTES",
        "FIXGATE_CACHE_TTL_S",
        "FIXGATE_CALLS_IN_FLIGHT",
        "FIXGATE_CONSOLE_SAMPLES",
        "FIXGATE_CONSOLE_TILES",
        "FIXGATE_CONSOLE_TILES_CREDIT",
        "FIXGATE_CORS_ORIGINS",
        "FIXGATE_DRAIN_DELAY_S",
        "FIXGATE_DRAIN_TIMEOUT_S",
        "FIXGATE_HEIMDALL_METRICS",
        "FIXGATE_HOST",
        "FIXGATE_KEEPALIVE_S",
        "FIXGATE_LOG_REQUESTS_PER_S",
        "FIXGATE_MAX_BODY_BYTES",
        "FIXGATE_MAX_CONCURRENT_REQUESTS",
        "FIXGATE_MAX_QUEUED_BYTES",
        "FIXGATE_MAX_TIMEOUT_MS",
        "FIXGATE_OBJECTIVE_MS",
        "FIXGATE_PORT",
        "FIXGATE_PREDICT_TIMEOUT_MS",
        "FIXGATE_RATE_LIMIT",
        "FIXGATE_REMEMBER",
        "FIXGATE_REMEMBER_COUNT",
        "FIXGATE_REMEMBER_S",
        "FIXGATE_SEND_TIMEOUT_S",
        "FIXGATE_SHADOW_SHARE",
        "FIXGATE_SIGNAL_THREADS",
        "FIXGATE_TLS_CERT",
        "FIXGATE_TLS_KEY",
        "FIXGATE_TRITON_GRPC",
        "FIXGATE_TRITON_HTTP",
        "FIXGATE_TRITON_SHM",
        "FIXGATE_WORKERS",
    }
)

SYNC = frozenset(
    {
        "FIXGATE_DRAIN_S",
        "FIXGATE_INSTANCES",
        "FIXGATE_KEEP",
        "FIXGATE_KIND",
        "FIXGATE_LOAD_TIMEOUT_S",
        "FIXGATE_MAX_BATCH_SIZE",
        "FIXGATE_MLFLOW_PUBLIC_URL",
        "FIXGATE_MLFLOW_URI",
        "FIXGATE_MODELS",
        "FIXGATE_MODEL_REPOSITORY",
        "FIXGATE_POLL_S",
        "FIXGATE_PREFLIGHT_MEMORY_MB",
        "FIXGATE_PREFLIGHT_TIMEOUT_S",
        "FIXGATE_STAGING",
        "FIXGATE_SYNC_HOST",
        "FIXGATE_SYNC_PORT",
        "FIXGATE_THREADS",
        "FIXGATE_TRITON_HTTP",
        "FIXGATE_UNALIAS_S",
        "FIXGATE_UNREADY_S",
        "FIXGATE_VERSIONS_S",
        "FIXGATE_WEBHOOK_SECRET",
    }
)

STACK = frozenset(
    {
        "FIXGATE_DEMO",
        "FIXGATE_MLFLOW_PORT",
        "FIXGATE_REDIS_PORT",
        "FIXGATE_TRITON_GRPC_PORT",
        "FIXGATE_TRITON_HTTP_PORT",
        "FIXGATE_TRITON_METRICS_PORT",
    }
)

CLIENT = frozenset({"FIXGATE_API_KEY", "FIXGATE_URL"})

SECRETS = frozenset({"FIXGATE_MLFLOW_URI", "FIXGATE_REDIS_URL", "FIXGATE_WEBHOOK_SECRET"})
"""Options that may hold a secret: `NAME_FILE` names a file to read it from instead."""

FILE = "_FILE"

KNOWN = SHARED | GATEWAY | SYNC | STACK | CLIENT | {name + FILE for name in SECRETS}


class SecretFileError(ValueError):
    """A secret's file cannot be used; the message names the variable."""


def with_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables, with every secret that is given as a file in its place; a last newline does not count.

    Raises:
        SecretFileError: a file that cannot be read or is empty, or a secret given both ways.
    """
    resolved = dict(environment)
    for name in sorted(SECRETS):
        path = resolved.pop(name + FILE, "")
        if not path:
            continue
        if resolved.get(name):
            raise SecretFileError(f"{name}, {name}{FILE}: give one of them")
        try:
            secret = Path(path).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SecretFileError(f"{name}{FILE}: cannot read {path}: {_reason(error)}") from None
        if not secret:
            raise SecretFileError(f"{name}{FILE}: {path} is empty")
        resolved[name] = secret
    return resolved


def unknown(names: Iterable[str]) -> list[str]:
    """Those that begin like ours but that nothing reads: most likely misspelt."""
    return sorted(name for name in names if name.startswith(PREFIX) and name not in KNOWN)


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "no such file") if isinstance(error, OSError) else "not UTF-8"
