"""`fixgate history`: what sync did, from its journal."""

import datetime as dt
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.console import output, table

if TYPE_CHECKING:
    from contract.deployment import Deployment


def history(
    model: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, help="So many of the newest entries.")] = 50,
    home: Annotated[Path, typer.Option(envvar="FIXGATE_HOME", help="sync's home.")] = Path(".fixgate"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one entry a line.")] = False,
) -> None:
    """Show every publish, refusal, switch and retirement, oldest first."""
    from contract import deployment
    from sync import journal

    path = home / "journal.jsonl"
    if not path.exists():
        Console(stderr=True).print(f"no journal at {path}: is this sync's home?", style="red", markup=False)
        raise typer.Exit(1)
    entries = [one for one in journal.read(path) if model is None or one.model == model][-limit:]
    if as_json:
        for entry in entries:
            sys.stdout.write(deployment.dump(entry).decode() + "\n")
    else:
        show(entries, output())


def show(entries: "Iterable[Deployment]", console: Console) -> None:
    """Print entries as a table."""
    rows = table(console)
    for heading in ("time", "event", "model", "version", "what", "by", "took"):
        rows.add_column(heading, overflow="fold", no_wrap=heading != "what")
    for entry in entries:
        at = dt.datetime.fromtimestamp(entry.at, tz=dt.UTC)
        rows.add_row(
            f"{at:%Y-%m-%d %H:%M:%S}Z",
            entry.event,
            entry.model,
            str(entry.version or ""),
            _what(entry),
            entry.by,
            "" if entry.duration_s is None else f"{entry.duration_s:.1f} s",
        )
    console.print(rows)


def _what(entry: "Deployment") -> str:
    if entry.event == "switch":
        return f"{entry.alias}: {entry.previous or 'nowhere'} -> {entry.version or 'nowhere'}"
    return entry.message or entry.cause
