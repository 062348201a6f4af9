"""`fixgate up`: everything on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from stack.options import Options

LISTENERS, PROCESSES, FOLDERS = "Ports", "Processes", "Folders"
ELSEWHERE, MODELS = "Instead of starting our own", "Models"


def _option(panel: str, help_text: str, *variables: str, **settings: Any) -> Any:
    return typer.Option(envvar=list(variables), help=help_text, rich_help_panel=panel, **settings)


def _port(help_text: str, variable: str) -> Any:
    return _option(LISTENERS, help_text, variable, min=1, max=65_535, metavar="PORT")


def up(
    *,
    host: Annotated[
        str,
        _option(LISTENERS, "Gateway: address to listen on; all else is on loopback.", "FIXGATE_HOST"),
    ] = "127.0.0.1",
    port: Annotated[int, _port("Gateway: the one that clients use.", "FIXGATE_PORT")] = 8080,
    sync_port: Annotated[int, _port("sync: metrics, status, webhooks.", "FIXGATE_SYNC_PORT")] = 8081,
    triton_http_port: Annotated[int, _port("Triton, HTTP.", "FIXGATE_TRITON_HTTP_PORT")] = 8000,
    triton_grpc_port: Annotated[int, _port("Triton, gRPC.", "FIXGATE_TRITON_GRPC_PORT")] = 8001,
    triton_metrics_port: Annotated[int, _port("Triton, metrics.", "FIXGATE_TRITON_METRICS_PORT")] = 8002,
    mlflow_port: Annotated[int, _port("MLflow.", "FIXGATE_MLFLOW_PORT")] = 5000,
    redis_port: Annotated[int, _port("Redis.", "FIXGATE_REDIS_PORT")] = 6380,
    workers: Annotated[
        int | None,
        _option(
            PROCESSES,
            "Of the gateway; else one for each processor, at most 4.",
            "FIXGATE_WORKERS",
            min=1,
            max=64,
        ),
    ] = None,
    home: Annotated[Path, _option(FOLDERS, "Databases, journal, logs.", "FIXGATE_HOME")] = Path(".fixgate"),
    model_repository: Annotated[
        Path, _option(FOLDERS, "What Triton serves; sync writes it.", "FIXGATE_MODEL_REPOSITORY")
    ] = Path("model_repository"),
    redis_url: Annotated[
        str | None, _option(ELSEWHERE, "A Redis that runs already.", "FIXGATE_REDIS_URL", "REDIS_URL")
    ] = None,
    mlflow_uri: Annotated[
        str | None,
        _option(ELSEWHERE, "An MLflow that runs already.", "FIXGATE_MLFLOW_URI", "MLFLOW_TRACKING_URI"),
    ] = None,
    default_model: Annotated[
        str | None,
        _option(
            MODELS,
            "Model that /predict means; else the demo model, else the only one.",
            "FIXGATE_DEFAULT_MODEL",
            "MLFLOW_MODEL_NAME",
        ),
    ] = None,
    demo: Annotated[
        bool | None,
        typer.Option(
            "--demo/--no-demo",
            envvar="FIXGATE_DEMO",
            help="Register the demo model on the first start; by default, only in an MLflow of our own.",
            rich_help_panel=MODELS,
        ),
    ] = None,
) -> None:
    """Start everything on this machine: Redis, MLflow, Triton, sync and the gateway.

    Each is the real thing, on loopback, with its state in one folder: a second start takes up where the last
    one ended. The screen says what runs where; when all is ready, a request to try is printed. Ctrl-C stops
    everything. A part that dies is started again.
    """
    from stack.options import Options, usual_workers

    if str(model_repository).startswith("s3:"):
        raise typer.BadParameter(
            "fixgate up serves a folder; for object storage, start sync and Triton apart (docs/sync.md)",
            param_hint="FIXGATE_MODEL_REPOSITORY",
        )
    options = Options(
        home=home.absolute(),
        model_repository=model_repository.absolute(),
        host=host,
        port=port,
        sync_port=sync_port,
        triton_http_port=triton_http_port,
        triton_grpc_port=triton_grpc_port,
        triton_metrics_port=triton_metrics_port,
        mlflow_port=mlflow_port,
        redis_port=redis_port,
        workers=workers or usual_workers(),
        redis_url=redis_url,
        mlflow_uri=mlflow_uri,
        default_model=default_model,
        **(_demo() if demo or (demo is None and mlflow_uri is None) else {}),
    )
    raise typer.Exit(_run(options))


def _run(options: "Options") -> int:
    from stack.part import CannotStart
    from stack.up import up as run_stack

    try:
        return run_stack(options, Console())
    except CannotStart as reason:
        Console(stderr=True).print(f"fixgate up: {reason}", style="red", markup=False, soft_wrap=True)
        return 1


def _demo() -> dict[str, Any]:
    """What a first start registers, and a recording to send."""
    from demo import shipped

    return {
        "first_model": shipped.MODEL_NAME,
        "register": tuple(
            (
                *(str(one.model), "--name", shipped.MODEL_NAME, "--contract", str(one.contract)),
                *("--description", one.description),
                *(("--alias", one.alias) if one.alias else ("--tag", "fixgate.serve=true")),
            )
            for one in shipped.VERSIONS
        ),
        "example": shipped.sample_paths()[0],
    }
