"""`fixgate register`: an ONNX file into the MLflow registry, checked first."""

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from sync.registering import Registered

MLFLOW_VARIABLES = ["FIXGATE_MLFLOW_URI", "MLFLOW_TRACKING_URI"]


def register(
    model: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, metavar="MODEL.onnx")],
    *,
    name: Annotated[str, typer.Option(help="Registered model to add a version to; made if it is not there.")],
    contract: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Model contract (JSON); inferred when left out."),
    ] = None,
    example: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Input example (.npy), a row or a batch.")
    ] = None,
    alias: Annotated[
        list[str] | None, typer.Option(help="Alias for the new version, e.g. champion; may be repeated.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Tag of the new version; may be repeated.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=NUMBER", help="Metric of the run behind it; may be repeated."),
    ] = None,
    description: Annotated[str | None, typer.Option(help="What is new in this version.")] = None,
    max_batch_size: Annotated[int, typer.Option(min=1, max=4096, help="Largest batch to try it with.")] = 32,
    mlflow_uri: Annotated[
        str, typer.Option(envvar=MLFLOW_VARIABLES, help="The MLflow server.")
    ] = "http://127.0.0.1:5000",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was registered as JSON.")] = False,
) -> None:
    """Register an ONNX model in MLflow, with contract, signature, input example and expected outputs.

    The model is loaded and run first, against its contract: what sync would refuse is not uploaded.
    """
    tags = _pairs("--tag", tag or [])
    metrics = {
        key: _number("--metric", key, value) for key, value in _pairs("--metric", metric or []).items()
    }
    document = _read_contract(contract)

    from sync.errors import SyncError
    from sync.registering import Order, register

    try:
        done = register(
            Order(
                model=model,
                name=name,
                contract=document,
                example=example,
                aliases=tuple(alias or ()),
                tags=tags,
                metrics=metrics,
                description=description,
                max_batch_size=max_batch_size,
            ),
            mlflow_uri,
        )
    except SyncError as error:
        Console(stderr=True).print(f"not registered: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.write(json.dumps(_document(done), indent=2) + "\n")
    else:
        _show(done, inferred=document is None)


def _read_contract(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        document = json.loads(path.read_text())
    except ValueError as error:
        raise typer.BadParameter(f"{path} is not JSON: {error}", param_hint="--contract") from None
    if not isinstance(document, dict):
        raise typer.BadParameter(f"{path} must hold an object", param_hint="--contract")
    return document


def _pairs(option: str, given: list[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise typer.BadParameter(f"{text!r} must be KEY=VALUE", param_hint=option)
        pairs[key] = value
    return pairs


def _number(option: str, key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise typer.BadParameter(f"{key}: {value!r} is no number", param_hint=option) from None
    if not math.isfinite(number):
        raise typer.BadParameter(f"{key}: {value!r} is not finite", param_hint=option)
    return number


def _document(done: "Registered") -> dict[str, Any]:
    import msgspec

    built: dict[str, Any] = msgspec.to_builtins(done)
    return built


def _show(done: "Registered", *, inferred: bool) -> None:
    console = Console(highlight=False)
    console.print(f"Registered [bold]{done.name}[/bold] version [bold]{done.version}[/bold]")
    lines = {
        "aliases": ", ".join(done.aliases)
        or "none; sync serves versions with an alias or the tag fixgate.serve=true",
        "contract": ("inferred" if inferred else "given") + f", input kind {done.contract['input']['kind']}",
        "input": ", ".join(_tensor(one.name, one.datatype, one.shape) for one in done.inputs),
        "outputs": ", ".join(_tensor(one.name, one.datatype, one.shape) for one in done.outputs),
        "latency": ", ".join(f"{ms:.3g} ms for {size}" for size, ms in done.latency_ms.items()),
        "run": done.run_id,
    }
    for label, text in lines.items():
        console.print(f"  {label:9}{text}", markup=False, soft_wrap=True)


def _tensor(name: str, datatype: str, shape: tuple[int, ...]) -> str:
    sizes = ", ".join(["N", *("any" if size == -1 else str(size) for size in shape)])
    return f"{name} {datatype} ({sizes})"
