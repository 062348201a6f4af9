"""`fixgate sync`: keep the model repository as the registry wants it."""

from typing import Annotated

import typer


def sync(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when nothing is left to do; status 1 if something is refused.")
    ] = False,
) -> None:
    """Watch the MLflow registry and serve what it says; options come from the environment (docs/sync.md)."""
    from sync.__main__ import main

    raise typer.Exit(main(once=once))
