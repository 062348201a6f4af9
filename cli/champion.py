"""`fixgate promote` and `fixgate rollback`: move the alias champion in MLflow; sync follows it."""

from typing import Annotated

import typer
from rich.console import Console

from cli.register import MLFLOW_VARIABLES

MlflowUri = Annotated[str, typer.Option(envvar=MLFLOW_VARIABLES, help="The MLflow server.")]


def promote(
    model: Annotated[str, typer.Argument(help="Registered model.")],
    version: Annotated[int, typer.Argument(min=1, help="Version that is to take the traffic.")],
    *,
    mlflow_uri: MlflowUri = "http://127.0.0.1:5000",
) -> None:
    """Make a version the champion. Nothing else has to be done: sync follows the registry."""
    _move(mlflow_uri, model, version)


def rollback(
    model: Annotated[str, typer.Argument(help="Registered model.")],
    *,
    to: Annotated[
        int | None, typer.Option(min=1, help="Version to go back to; else the champion before this one.")
    ] = None,
    mlflow_uri: MlflowUri = "http://127.0.0.1:5000",
) -> None:
    """Go back to the previous champion, which is still loaded: it takes the traffic within two seconds."""
    _move(mlflow_uri, model, to)


def _move(uri: str, model: str, version: int | None) -> None:
    from sync import champion
    from sync.errors import SyncError

    try:
        moved = champion.move(uri, model, version)
    except SyncError as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    before = "none" if moved.before is None else f"version {moved.before}"
    Console(highlight=False).print(f"{moved.model}: champion is version {moved.after} now (before: {before})")
