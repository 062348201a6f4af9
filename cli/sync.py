"""`fixgate sync`: keep the model repository as the registry wants it."""

import logging
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

DEFAULT_URL = "http://127.0.0.1:8081/webhooks/mlflow"


def sync(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when nothing is left to do; status 1 if something is refused.")
    ] = False,
    keep: Annotated[
        int | None, typer.Option(min=0, help="Previous champions that stay loaded.", envvar="FIXGATE_KEEP")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Name, pattern or tag:KEY=VALUE of models to serve; may be repeated."),
    ] = None,
    register_webhook: Annotated[
        bool, typer.Option("--register-webhook", help="Tell MLflow to call sync at every change, and end.")
    ] = False,
    webhook_url: Annotated[str, typer.Option(help="Where MLflow reaches sync.")] = DEFAULT_URL,
) -> None:
    """Watch the MLflow registry and serve what it says; all options are in docs/sync.md."""
    if register_webhook:
        _register(webhook_url)
        return

    from sync.__main__ import main

    options = {}
    if keep is not None:
        options["FIXGATE_KEEP"] = str(keep)
    if model:
        options["FIXGATE_MODELS"] = ",".join(model)
    console = Console(stderr=True)
    if not console.is_terminal:
        raise typer.Exit(main(once=once, options=options))

    from cli.downloads import follow

    # Through the same console as the progress bars, so that neither draws over the other.
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=console)])
    raise typer.Exit(main(once=once, options=options, on_watch=follow(console)))


def _register(url: str) -> None:
    from sync.config import from_env
    from sync.errors import SyncError
    from sync.webhook_setup import register

    console = Console(highlight=False)
    try:
        config = from_env(os.environ)
        if not config.webhook_secret:
            console.print("FIXGATE_WEBHOOK_SECRET is not set: sync would not trust the events", style="red")
            raise typer.Exit(2)
        made = register(config.mlflow_uri, url, config.webhook_secret)
    except SyncError as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    console.print(f"MLflow calls {url} at every change of the registry (webhook {made})")
