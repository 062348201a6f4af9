"""`fixgate plan`: what sync would change."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.console import output, table

if TYPE_CHECKING:
    from sync.preview import Difference

DIFFERENT = 2


def plan(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what sync would change, without changing anything; options as those of sync (docs/sync.md).

    Ends with status 2 when there is a difference, 1 when the registry or the repository cannot be read.
    """
    import msgspec

    from sync import config
    from sync.errors import SyncError
    from sync.preview import preview

    try:
        found = preview(config.from_env())
    except SyncError as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.write(json.dumps(msgspec.to_builtins(found), indent=2) + "\n")
    else:
        console = output()
        for problem in found.problems:
            console.print(f"! {problem}", style="yellow", markup=False)
        _show(console, (*found.differences, *found.refused))
        if found.fresh and not found.differences:
            console.print("what is served is what the registry wants")
    if not found.fresh:
        raise typer.Exit(1)
    if found.differences:
        raise typer.Exit(DIFFERENT)


def _show(console: Console, differences: "tuple[Difference, ...]") -> None:
    if not differences:
        return
    rows = table(console)
    for heading in ("model", "version", "change", "why"):
        rows.add_column(heading, overflow="fold", no_wrap=heading != "why")
    for one in differences:
        rows.add_row(one.model, str(one.version or ""), one.what, one.why)
    console.print(rows, markup=False)
