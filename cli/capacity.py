"""`fixgate capacity`: the highest rate that keeps the objective here, and the replicas that a rate needs."""

import asyncio
import json
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli import console
from cli.client import GatewayClient, GatewayError, Refusal, model_path
from cli.predict import KEY, URL

if TYPE_CHECKING:
    from cli.load.message import Answer
    from cli.load.search import Search
    from cli.load.trials import Goal, Trial
    from cli.sizing.report import Capacity

START = 16.0


def capacity(
    model: Annotated[str, typer.Argument(help="Model that is served.")],
    *,
    recording: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Send this one (.npy, .sigmf) instead of noise."),
    ] = None,
    p95_ms: Annotated[
        float, typer.Option("--p95-ms", min=1, help="95 % of requests within this time.")
    ] = 500.0,
    seconds: Annotated[float, typer.Option(min=1, help="How long to try each rate.")] = 10.0,
    up_to: Annotated[float, typer.Option(min=1, help="Try no higher rate.")] = 100_000.0,
    rate: Annotated[
        list[float] | None,
        typer.Option(min=0.001, help="Say how many replicas this many requests/s need; may be repeated."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a page (.md) and its plot (.svg) beside it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: Annotated[str, URL] = "http://127.0.0.1:8080",
    key: Annotated[str | None, KEY] = None,
) -> None:
    """Find the highest rate of Poisson arrivals whose 95 % stay within the objective, without the cache.

    Rates are doubled, then the gap between the last that was borne and the first that was not is halved, to
    5 %. It takes a few minutes, and whoever uses the gateway meanwhile takes part. A request that fails, or
    that the gateway refuses, means that the rate was not borne. Ends with status 3 when none is.
    """
    from cli.load.search import Search
    from cli.load.trials import Goal
    from cli.sizing import report as reports
    from cli.sizing.report import Capacity
    from cli.sizing.requests import Unusable

    goal = Goal(p95_ms, seconds, warm_s=min(2.0, seconds))
    try:
        requests = _requests(GatewayClient(url, key), model, recording)
        search = Search(min(START, up_to), highest=up_to)
        trials = _measure(url, requests, goal, search, quiet=as_json)
    except (GatewayError, Unusable, OSError) as error:
        Console(stderr=True).print(f"{model}: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
    found = Capacity(model, goal.p95_ms, goal.seconds, trials, search.held, rate or [])
    if report is not None:
        picture = report.with_suffix(".svg")
        picture.write_text(reports.curve(found))
        report.write_text(reports.page(found, picture.name, _machine()))
    if as_json:
        sys.stdout.write(json.dumps(_document(found), indent=2) + "\n")
    else:
        _show(found)
    if found.held is None:
        raise typer.Exit(3)


def _requests(client: GatewayClient, model: str, recording: Path | None) -> list[bytes]:
    """Whole HTTP requests.

    Raises:
        GatewayError: no gateway, or it does not have the model.
        Unusable: nothing can be made up for the model.
    """
    from urllib.parse import urlencode

    from cli.load import message
    from cli.recording_file import read
    from cli.sizing.requests import made_up

    described = client.get(model_path(model))
    if recording is None:
        version = max(described["versions"], key=lambda one: one["share"])
        return made_up(client.url, model, version, client.key)
    body = read(recording)
    query = urlencode({"cache_enabled": "false", **body.query})
    headers = {"Content-Type": body.media_type}
    if client.key:
        headers["Authorization"] = f"Bearer {client.key}"
    url = f"{client.url.rstrip('/')}{model_path(model)}/predict?{query}"
    return [message.post(url, body.content, headers)]


def _measure(
    url: str, requests: list[bytes], goal: "Goal", search: "Search", *, quiet: bool
) -> "list[Trial]":
    from cli.load import message
    from cli.load.connection import Pool
    from cli.load.trials import highest

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as progress:
        bar = progress.add_task(f"trying {search.rate:g}/s", total=search.trials_left)

        def told(_: "Trial", search: "Search") -> None:
            rate = search.rate
            text = f"trying {rate:.0f}/s" if rate else "done"
            done = len(search.tried)
            progress.update(bar, description=text, completed=done, total=done + search.trials_left)

        async def find() -> list["Trial"]:
            pool = Pool(message.address(url))
            try:
                _check(await pool.ask(requests[0]))
                return await highest(
                    pool, lambda number: requests[number % len(requests)], search, goal, told
                )
            finally:
                pool.close()

        return asyncio.run(find())


def _check(answer: "Answer") -> None:
    """One request before the load, so that a wrong one is explained.

    Raises:
        GatewayError: it is not answered with success.
    """
    if not answer.ok:
        try:
            detail = json.loads(answer.body)["detail"]
        except (ValueError, KeyError, TypeError):
            detail = "the first request is not answered with success"
        raise Refusal(answer.status, str(detail))


def _show(found: "Capacity") -> None:
    from cli.sizing.report import HEADINGS, rows, sentences

    out = console.output()
    table = console.table(out)
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading else "left")
    for row in rows(found):
        table.add_row(*row)
    out.print(table)
    for sentence in sentences(found):
        out.print(sentence, soft_wrap=True)


def _document(found: "Capacity") -> dict[str, Any]:
    from cli.load.replicas import ASSUMPTION, replicas

    needed = {f"{rate:g}": replicas(rate, found.held) for rate in found.wanted} if found.held else {}
    return {
        "model": found.model,
        "objective_ms": found.objective_ms,
        "requests_per_s": found.held,
        "generator_lag_ms": found.lag_ms,
        "replicas": needed,
        "assumption": ASSUMPTION,
        "trials": [asdict(trial) for trial in found.trials],
    }


def _machine() -> str:
    import os

    moment = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    return (
        f"{moment} UTC, {os.cpu_count()} cores ({platform.machine()}), generator and service on one machine."
    )
