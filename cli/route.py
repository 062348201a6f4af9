"""`fixgate route`: who gets a model's traffic."""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from cli import console, durations
from cli.client import GatewayClient, GatewayError, model_path
from cli.predict import KEY, URL


def route(
    model: Annotated[str, typer.Argument(help="Model.")],
    weights: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=WEIGHT…", help="By alias or version number: champion=90 candidate=10."),
    ] = None,
    *,
    expires_in: Annotated[
        str | None, typer.Option(help="For so long (10m, 1h30m); then what was in force before.")
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="No weights any more: the champion takes all.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the gateway's document.")] = False,
    url: Annotated[str, URL] = "http://127.0.0.1:8080",
    key: Annotated[str | None, KEY] = None,
) -> None:
    """Share a model's traffic out, and print how it was and is; without weights, show how it is."""
    given = _weights(weights or [])
    if clear and (given or expires_in):
        raise typer.BadParameter("goes without weights and --expires-in", param_hint="--clear")
    if expires_in and not given:
        raise typer.BadParameter("goes with weights", param_hint="--expires-in")
    body: dict[str, Any] = {"weights": given}
    if expires_in:
        body["expires_in_s"] = _seconds(expires_in)
    client, path = GatewayClient(url, key), f"{model_path(model)}/routing"
    try:
        before = after = client.get(path)
        # Only what was shown as "before" is changed: If-Match.
        condition = {"If-Match": f'"{before["etag"]}"'}
        if clear:
            after = client.change("DELETE", path, headers=condition)
        elif given:
            after = client.change("PUT", path, body, condition)
    except GatewayError as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.write(json.dumps(after, indent=2) + "\n")
    else:
        _print(before, after, changed=clear or bool(given))


def _print(before: dict[str, Any], after: dict[str, Any], *, changed: bool) -> None:
    out = console.output()
    if changed:
        out.print(f"before  {_told(before)}", markup=False)
        out.print(f"after   {_told(after)}", markup=False)
    else:
        out.print(_told(after), markup=False)


def _told(policy: dict[str, Any]) -> str:
    """`champion=90 candidate=10: version 1 gets 90 %, version 2 10 %`, and for how long."""
    shares = ", ".join(f"version {number} {share:.4g} %" for number, share in
                       ((number, share * 100) for number, share in policy["shares"].items()))  # fmt: skip
    told = f"{_shown(policy['weights'])}: {shares or 'nobody answers'}"
    if policy["source"] == "rollout":
        return f"{told} (by a rollout)"
    if policy["source"] == "temporary":
        return f"{told} (until {policy['expires_at']}, then {_shown(policy['then'])})"
    return told if policy["source"] == "tag" else f"{told} (no weights are set)"


def _shown(weights: dict[str, float]) -> str:
    """`champion=90 candidate=10`, the champion first."""
    order = sorted(weights, key=lambda name: (name != "champion", name))
    return " ".join(f"{name}={weights[name]:g}" for name in order)


def _weights(texts: list[str]) -> dict[str, float]:
    weights = {}
    for text in texts:
        name, _, weight = text.rpartition("=")
        try:
            weights[name] = float(weight)
        except ValueError:
            name = ""
        if not name:
            raise typer.BadParameter(f"{text!r}: write NAME=WEIGHT, for example champion=90")
    return weights


def _seconds(text: str) -> float:
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--expires-in") from None
