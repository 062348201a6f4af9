"""`fixgate predict`: recordings to positions, by the gateway."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from cli import console
from cli.client import GatewayClient, GatewayError, Unreachable, model_path
from cli.formats.answer import Answer
from cli.recording_file import UnknownFile, read

Format = Literal["table", "json", "geojson", "kml", "csv"]

URL = typer.Option(envvar="FIXGATE_URL", help="The gateway.")
KEY = typer.Option(
    "--api-key", envvar="FIXGATE_API_KEY", help="API key, where the gateway wants one.", show_envvar=True
)


def predict(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, metavar="FILE…")],
    *,
    model: Annotated[str | None, typer.Option(help="Model; the gateway's default when left out.")] = None,
    version: Annotated[str | None, typer.Option(help="This version, whatever the routing says.")] = None,
    alias: Annotated[str | None, typer.Option(help="The version with this alias.")] = None,
    level: Annotated[
        float | None, typer.Option(help="Probability that the ellipse is to hold the source, e.g. 0.95.")
    ] = None,
    receivers: Annotated[
        int | None, typer.Option(min=1, help="Receivers in raw samples (cf32, ci16, ci8, cu8).")
    ] = None,
    session: Annotated[str | None, typer.Option(help="Session id: sticks to one version.")] = None,
    cache: Annotated[bool, typer.Option(help="Take and keep answers in the gateway's cache.")] = True,
    output: Annotated[
        Format, typer.Option("--format", help="json: one document a line. kml: for Google Earth.")
    ] = "table",
    geojson: Annotated[bool, typer.Option("--geojson", help="The same as --format geojson.")] = False,
    url: Annotated[str, URL] = "http://127.0.0.1:8080",
    key: Annotated[str | None, KEY] = None,
) -> None:
    """Send recordings (.npy, .sigmf, .sigmf-meta, raw .cf32 …) to the gateway and print where they came from.

    Ends with status 1 when a file has no answer; the others are printed all the same.
    """
    output = "geojson" if geojson else output
    if (version or alias) and model is None:
        raise typer.BadParameter("goes with --model", param_hint="--version" if version else "--alias")
    if version and alias:
        raise typer.BadParameter("give --version or --alias, not both", param_hint="--alias")
    options = {
        "cache_enabled": str(cache).lower(),
        "geojson": str(output in ("geojson", "kml")).lower(),
    }
    if level is not None:
        options["confidence_level"] = repr(level)
    if session is not None:
        options["session_id"] = session
    path = f"{model_path(model, version, alias)}/predict"
    client, path = GatewayClient(url, key), f"{model_path(model, version, alias)}/predict"

    def ask(file: Path) -> Answer:
        body = read(file, receivers=receivers)
        name = os.fsencode(file.name).decode("utf-8", "replace")
        return Answer(name, client.post(path, body.content, body.media_type, options | body.query))

    answers, reasons = _ask_all(ask, files)
    _print(answers, output)
    for reason in reasons:
        Console(stderr=True).print(reason, style="red", markup=False, highlight=False, soft_wrap=True)
    if reasons:
        raise typer.Exit(1)


def _ask_all(ask: Callable[[Path], Answer], files: list[Path]) -> tuple[list[Answer], list[str]]:
    """The answers, and why the other files have none; without a gateway the first reason is enough."""
    answers: list[Answer] = []
    reasons: list[str] = []
    for file in files:
        try:
            answers.append(ask(file))
        except Unreachable as error:
            return answers, [*reasons, str(error)]
        except (UnknownFile, OSError) as error:
            reasons.append(str(error))
        except GatewayError as error:
            reasons.append(f"{file}: {error}")
    return answers, reasons


def _print(answers: list[Answer], output: Format) -> None:
    from cli.formats.geojson import geojson
    from cli.formats.kml import kml
    from cli.formats.spreadsheet import spreadsheet
    from cli.formats.table import show

    match output:
        case "table":
            if answers:
                show(answers, console.output())
        case "json":
            sys.stdout.writelines(f"{json.dumps({'file': one.name, **one.document})}\n" for one in answers)
        case "csv":
            sys.stdout.write(spreadsheet(answers))
        case "geojson":
            sys.stdout.write(geojson(answers))
        case "kml":
            sys.stdout.buffer.write(kml(answers))
