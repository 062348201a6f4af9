"""`fixgate promote` and `fixgate rollback`: move the alias champion in MLflow; sync follows it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.register import MLFLOW_VARIABLES

if TYPE_CHECKING:
    from sync.champion import Moved

MlflowUri = Annotated[str, typer.Option(envvar=MLFLOW_VARIABLES, help="The MLflow server.")]


def promote(
    model: Annotated[str, typer.Argument(help="Registered model.")],
    version: Annotated[
        int | None, typer.Argument(min=1, help="Version that is to take the traffic; else the candidate.")
    ] = None,
    *,
    mlflow_uri: MlflowUri = "http://127.0.0.1:5000",
) -> None:
    """Make a version the champion. Nothing else has to be done: sync follows the registry."""
    from sync import champion

    _move(lambda: champion.promote(mlflow_uri, model, version))


def rollback(
    model: Annotated[str, typer.Argument(help="Registered model.")],
    *,
    to: Annotated[
        int | None, typer.Option(min=1, help="Version to go back to; else the champion before this one.")
    ] = None,
    mlflow_uri: MlflowUri = "http://127.0.0.1:5000",
) -> None:
    """Go back to the previous champion, which is still loaded: it takes the traffic within two seconds."""
    from sync import champion

    _move(lambda: champion.roll_back(mlflow_uri, model, to))


def _move(move: "Callable[[], Moved]") -> None:
    from sync.errors import SyncError

    try:
        moved = move()
    except SyncError as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    before = "none" if moved.before is None else f"version {moved.before}"
    Console(highlight=False).print(f"{moved.model}: champion is version {moved.after} now (before: {before})")
