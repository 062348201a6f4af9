"""`fixgate status`: what is served, what is on its way, what is refused and why."""

import json
import sys
import time
import urllib.error
import urllib.request
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from cli.console import output, table

STYLES = {"served": "green", "rejected": "red", "waiting": "yellow", "preparing": "cyan", "loading": "cyan"}


def status(
    *,
    sync_host: Annotated[str, typer.Option(envvar="FIXGATE_SYNC_HOST", help="Where sync is.")] = "127.0.0.1",
    sync_port: Annotated[int, typer.Option(envvar="FIXGATE_SYNC_PORT", min=1, max=65_535)] = 8081,
    as_json: Annotated[bool, typer.Option("--json", help="Print sync's own document.")] = False,
) -> None:
    """Show models, versions, aliases, what Triton reports ready, and sync's last pass.

    Ends with status 1 when sync does not answer, 3 when a version is refused or waits.
    """
    console = output()
    try:
        document = fetch(sync_host, sync_port, "/status")
    except OSError as error:
        Console(stderr=True).print(
            f"sync does not answer at {sync_host}:{sync_port} ({_reason(error)}); is it running?", style="red"
        )
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        show(document, console, time.time())
    if _troubled(document):
        raise typer.Exit(3)


def fetch(host: str, port: int, path: str) -> Any:
    """A JSON document from sync's port.

    Raises:
        OSError: no answer, or an error.
    """
    with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=10) as answer:  # nosec B310
        return json.load(answer)


def show(document: dict[str, Any], console: Console, now: float) -> None:
    """Print the status document."""
    rows = table(console)
    for heading in ("model", "version", "state", "aliases", "ready", "digest", "why"):
        rows.add_column(heading, overflow="fold", no_wrap=heading not in ("aliases", "why"))
    for model in document.get("models", ()):
        for version in model["versions"]:
            rows.add_row(*_row(model, version))
    console.print(rows if rows.row_count else "nothing registered that is to be served")
    for address, answers in document.get("tritons", {}).items():
        console.print(f"Triton {address}: {'answers' if answers else 'does not answer'}", markup=False)
    for problem in document.get("problems", ()):
        console.print(f"! {problem}", style="yellow", markup=False)
    console.print(_last_pass(document, now), markup=False)


def _row(model: dict[str, Any], version: dict[str, Any]) -> tuple[str | Text, ...]:
    state = version["state"]
    aliases = [*version.get("aliases", ())]
    if model.get("previous_champion") == version["version"]:
        aliases.append("(previous champion)")
    ready = version.get("ready", {})
    done, total = version.get("downloaded") or (0, 0)
    why = version.get("reason") or (f"downloading, {done * 100 // total} %" if total else "")
    return (
        model["name"],
        str(version["version"]),
        Text(state, STYLES.get(state, "")),
        ", ".join(aliases),
        f"{sum(ready.values())}/{len(ready)}" if ready else "",
        (version.get("digest") or "")[:12],
        Text(why or ", ".join(version.get("wanted_by", ()))),
    )


def _last_pass(document: dict[str, Any], now: float) -> str:
    if "last_pass" not in document:
        return "sync: no pass yet"
    took = document.get("pass_duration_s", 0) * 1000
    since = now - document["last_pass"]
    success = document.get("last_success")
    registry = "never read" if success is None else f"last read {now - success:.0f} s ago"
    return (
        f"sync: last pass {since:.0f} s ago, {took:.0f} ms; registry {registry}; "
        f"catalogue revision {document.get('catalogue_revision', 'none')}"
    )


def _troubled(document: dict[str, Any]) -> bool:
    return any(
        version["state"] in ("rejected", "waiting")
        for model in document.get("models", ())
        for version in model["versions"]
    )


def _reason(error: OSError) -> str:
    return str(error.reason) if isinstance(error, urllib.error.URLError) else str(error)
