"""The `fixgate` command. Subcommands import what they need when they run: each plane installs alone."""

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from cli import cache
from cli.capacity import capacity
from cli.champion import promote, rollback
from cli.evaluate import evaluate
from cli.history import history
from cli.plan import plan
from cli.predict import predict
from cli.register import register
from cli.rollout import rollout
from cli.route import route
from cli.status import status
from cli.sync import sync
from cli.tune import tune
from cli.up import up
from contract.environment import FILE, SECRETS, SecretFileError, with_secrets

# One function per subcommand; its name is the subcommand's, its docstring the help text.
COMMANDS = (
    up,
    register,
    predict,
    evaluate,
    status,
    sync,
    plan,
    promote,
    rollback,
    route,
    rollout,
    history,
    tune,
    capacity,
)

OURS = ("gateway", "stack", "sync", "demo")
"""Packages of our own that an image may be without."""

EXTRAS = {
    "evaluate": ("matplotlib",),
    "gateway": (
        "aiohttp",
        "blake3",
        "orjson",
        "prometheus_client",
        "pyproj",
        "pyrate_limiter",
        "simdjson",
        "scipy",
        "uvloop",
    ),
    "sync": ("mlflow", "pandas", "onnx", "onnxruntime", "redis", "tritonclient"),
}
"""Extra to the packages that come with it, to tell which one a missing package is in."""

SERVICES = ("gateway", "sync")
"""Commands that read secrets' files themselves, and so keep them out of their environment."""

app = typer.Typer(
    name="fixgate",
    help="RF localisation models from an MLflow registry to production: IQ in, position and uncertainty out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(cache.app)
try:
    from cli import keys
    from cli.gateway import gateway
except ModuleNotFoundError as error:
    if error.name != "gateway":  # the control plane's image is without it
        raise
else:
    app.command()(gateway)
    app.add_typer(keys.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fixgate {version('fixgate')}")
        raise typer.Exit


@app.callback()
def _global_options(
    context: typer.Context,
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand not in SERVICES:
        _read_secrets()


def _read_secrets() -> None:
    """Put secrets that are given as files where every command's options, and the parts of `up`, look."""
    try:
        resolved = with_secrets(os.environ)
    except SecretFileError as error:
        raise typer.BadParameter(str(error)) from error
    for name in SECRETS:
        os.environ.pop(name + FILE, None)
    os.environ.update(resolved)


def main() -> None:
    """Run the command line; a package that is not installed is a message, not a traceback."""
    try:
        app()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
        if error.name in OURS:
            told = f"this is not in this image: it needs fixgate's {package}"
        elif extra is not None:
            told = f"this needs {package}, which is not installed: pip install 'fixgate\\[{extra}]'"
        else:
            raise
        Console(stderr=True).print(f"fixgate: {told}", style="red")
        sys.exit(1)
