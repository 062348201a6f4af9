"""`fixgate keys`: make, list and remove the gateway's API keys."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

# Imports nothing that only the gateway needs.
from gateway.access import key_file
from gateway.access.key_file import KeyFileError, Scope

File = Annotated[
    Path,
    typer.Option("--file", envvar="FIXGATE_API_KEYS_FILE", show_envvar=True, help="The file of API keys."),
]
Name = Annotated[str, typer.Argument(help="Whose key it is, or what for.")]

app = typer.Typer(
    name="keys", help="Make, list and remove the gateway's API keys (docs/access.md).", no_args_is_help=True
)


@app.command()
def add(
    name: Name,
    *,
    scope: Annotated[list[Scope], typer.Option(help="What it is for; give it once for each scope.")],
    file: File,
) -> None:
    """Make a key and print it, this once: the file keeps a hash, from which nobody can have it back.

    A running gateway knows the key about a second later.
    """
    try:
        key, stored = key_file.make_key(name, scope)
        key_file.add(file, stored)
    except KeyFileError as error:
        _fail(error)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from None
    sys.stdout.write(f"{key}\n")
    Console(stderr=True, highlight=False).print(
        f"Its hash is in {escape(str(file))}; the key itself is shown this once. "
        f"Scopes: {', '.join(stored.scopes)}.",
        soft_wrap=True,
    )


@app.command("list")
def list_keys(*, file: File) -> None:
    """Show names, scopes and the public part of each key."""
    try:
        keys = key_file.load(file).values()
    except KeyFileError as error:
        _fail(error)
    width = max((len(key.name) for key in keys), default=0)
    for key in sorted(keys, key=lambda one: one.name):
        begins = f"fixgate_{key.key_id}_…"
        sys.stdout.write(f"{key.name:{width}}  {key.created:%Y-%m-%d}  {begins}  {', '.join(key.scopes)}\n")


@app.command()
def remove(name: Name, *, file: File) -> None:
    """Take a key away: a running gateway refuses it about a second later."""
    try:
        key_file.remove(file, name)
    except KeyFileError as error:
        _fail(error)


def _fail(error: KeyFileError) -> NoReturn:
    Console(stderr=True).print(f"fixgate: {error}", style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1) from None
