"""`fixgate rollout`: give a version the traffic step by step, as long as it does well."""

import sys
import time
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from cli import console, durations
from cli.client import GatewayClient, GatewayError, model_path
from cli.predict import KEY, URL

OFF = "off"
POLL_S = 0.5


def rollout(
    model: Annotated[str, typer.Argument(help="Model.")],
    version: Annotated[
        int | None,
        typer.Argument(min=1, help="Version that is to take the traffic; else show the newest rollout."),
    ] = None,
    *,
    steps: Annotated[str, typer.Option(help="Its shares in percent, ascending.")] = "1,5,25,50,100",
    every: Annotated[str, typer.Option(help="How long a step takes at least: 30s, 5m, 1h.")] = "5m",
    max_error_rate: Annotated[str, typer.Option(help="Guard: share of failed requests, or off.")] = "0.01",
    max_p95_ms: Annotated[str, typer.Option(help="Guard: milliseconds, or off.")] = "500",
    max_shift: Annotated[
        str,
        typer.Option(
            help="Guard: median distance to the champion's fixes of the same recordings, in the champion's "
            "median 1 σ semi-major axes, or off."
        ),
    ] = "0.5",
    min_requests: Annotated[int, typer.Option(min=1, help="Answered in a step before it is judged.")] = 200,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and begin nothing.")] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Stay at the present share.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on.")] = False,
    abort: Annotated[bool, typer.Option("--abort", help="Give all traffic back to the champion.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow it to its end; status 1 if it fails.")
    ] = False,
    url: Annotated[str, URL] = "http://127.0.0.1:8080",
    key: Annotated[str | None, KEY] = None,
) -> None:
    """Raise a version's share while its guards hold; promote it in the end, or go back and say why."""
    if pause + resume + abort + (version is not None) > 1:
        raise typer.BadParameter("give one of VERSION, --pause, --resume and --abort")
    client, path = GatewayClient(url, key), f"{model_path(model)}/rollout"
    limits = {"max_error_rate": max_error_rate, "max_p95_ms": max_p95_ms, "max_shift": max_shift}
    try:
        if version is not None:
            plan = _plan(steps, every, limits, min_requests)
            _print_plan(client.get(f"{model_path(model)}/routing"), version, plan)
            if dry_run:
                return
            told = client.change("POST", path, {"version": str(version), **plan})
        elif pause or resume:
            told = client.change("PATCH", path, {"action": "pause" if pause else "resume"})
        else:
            told = client.change("DELETE", path) if abort else client.get(path)
        _follow(client, path, told, watch=watch)
    except GatewayError as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None


def _plan(steps: str, every: str, limits: dict[str, str], min_requests: int) -> dict[str, Any]:
    """The plan as the gateway takes it."""
    from contract.rollout import Plan

    try:
        guards = {name: None if text == OFF else float(text) for name, text in limits.items()}
        plan = {
            "steps": [float(step) for step in steps.split(",")],
            "every_s": durations.seconds(every),
            "guards": {**guards, "min_requests": min_requests},
        }
        msgspec.convert(plan, Plan)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return plan


def _print_plan(routing: dict[str, Any], version: int, plan: dict[str, Any]) -> None:
    out = console.output()
    champion = routing["aliases"].get("champion", "none")
    out.print(f"{routing['model']}: version {version} beside the champion, version {champion}", markup=False)
    every = durations.shown(plan["every_s"])
    for share in plan["steps"]:
        out.print(f"  {share:5g} % for {every} and {plan['guards']['min_requests']} requests")
    out.print("  promote")
    told = [f"{name} {limit:g}" for name, limit in plan["guards"].items() if limit and name != "min_requests"]
    out.print(f"guards: {', '.join(told) or 'none'}")


def _follow(client: GatewayClient, path: str, told: dict[str, Any], *, watch: bool) -> None:
    """Print where the rollout is; with `watch`, whenever it moves, until it ends."""
    _print(told)
    while watch and told["phase"] in ("waiting", "running"):
        time.sleep(POLL_S)
        before, told = told, client.get(path)
        if any(told[name] != before[name] for name in ("phase", "step", "paused")):
            _print(told)
    if watch and told["phase"] != "promoted":
        raise typer.Exit(1)


def _print(rollout: dict[str, Any]) -> None:
    share, phase = rollout["share"] * 100, rollout["phase"]
    if phase == "running":
        told = f"{share:g} % of the traffic{', paused' if rollout['paused'] else ''}"
    elif phase == "waiting":
        told = f"waits until it is served{', paused' if rollout['paused'] else ''}"
    else:
        told = f"{phase}: {rollout['reason']}"
    now = time.strftime("%H:%M:%S", time.gmtime())
    console.output().print(f"{now}Z  {rollout['model']} version {rollout['version']}: {told}", markup=False)
    sys.stdout.flush()
