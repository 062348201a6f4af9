"""What `fixgate up` was asked for."""

from dataclasses import dataclass
from pathlib import Path

from contract.cpu import cores
from stack.part import LOOPBACK
from stack.ports import Port

MOST_WORKERS = 4


def usual_workers() -> int:
    """Processes of the gateway on a machine of its own: one for each processor, as far as that is of use."""
    return min(MOST_WORKERS, cores())


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`redis_url` and `mlflow_uri`: use those instead of starting our own.

    `register` are the argument lists of `fixgate register` for the models of a first start, `first_model`
    their name; `example` is a recording to send in the printed request.
    """

    home: Path
    model_repository: Path
    host: str
    port: int
    sync_port: int
    triton_http_port: int
    triton_grpc_port: int
    triton_metrics_port: int
    mlflow_port: int
    redis_port: int
    workers: int
    redis_url: str | None = None
    mlflow_uri: str | None = None
    default_model: str | None = None
    register: tuple[tuple[str, ...], ...] = ()
    first_model: str = ""
    example: Path | None = None

    @property
    def logs(self) -> Path:
        """Where every part writes its log."""
        return self.home / "logs"

    @property
    def gateway_url(self) -> str:
        """Where the gateway is reached from this machine."""
        host = LOOPBACK if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104 # nosec
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def ports(self) -> list[Port]:
        """Every port that something of ours will listen on."""
        ours = [
            Port("the gateway", self.host, self.port, "--port", "FIXGATE_PORT"),
            Port("sync", LOOPBACK, self.sync_port, "--sync-port", "FIXGATE_SYNC_PORT"),
        ]
        triton = {
            "http": self.triton_http_port,
            "grpc": self.triton_grpc_port,
            "metrics": self.triton_metrics_port,
        }
        ours += [
            Port(
                f"Triton {name}",
                LOOPBACK,
                number,
                f"--triton-{name}-port",
                f"FIXGATE_TRITON_{name.upper()}_PORT",
            )
            for name, number in triton.items()
        ]
        if not self.mlflow_uri:
            ours.append(Port("MLflow", LOOPBACK, self.mlflow_port, "--mlflow-port", "FIXGATE_MLFLOW_PORT"))
        if not self.redis_url:
            ours.append(Port("Redis", LOOPBACK, self.redis_port, "--redis-port", "FIXGATE_REDIS_PORT"))
        return ours
