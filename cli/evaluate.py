"""`fixgate evaluate`: is a version's uncertainty true? Asked of the running gateway with a labelled set."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from cli.client import GatewayClient, GatewayError, model_path
from cli.console import output
from cli.predict import KEY, URL
from cli.register import MLFLOW_VARIABLES

if TYPE_CHECKING:
    from cli.evaluation.judge import Evaluation

NOT_CALIBRATED, NOT_EVALUATED = 1, 2
IN_MLFLOW = "In MLflow"


def evaluate(
    model: Annotated[str, typer.Argument(help="Served model.")],
    *,
    version: Annotated[int, typer.Option(min=1, help="Version to evaluate.")],
    data: Annotated[
        Path,
        typer.Option(exists=True, help="Labelled set: a folder with truth.json or truth.npy, or an .npz."),
    ],
    report: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Folder for evaluation.json, reliability.png and index.html."),
    ] = None,
    fit_scale: Annotated[
        bool, typer.Option("--fit-scale", help="Fit a factor on σ on half the sessions, judge on the others.")
    ] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Requests under way at once.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print the evaluation as JSON.")] = False,
    url: Annotated[str, URL] = "http://127.0.0.1:8080",
    key: Annotated[str | None, KEY] = None,
    log: Annotated[
        bool,
        typer.Option("--log", help="Write figures and report to the version.", rich_help_panel=IN_MLFLOW),
    ] = False,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply", help="With --fit-scale: set the tag fixgate.sigma_scale.", rich_help_panel=IN_MLFLOW
        ),
    ] = False,
    mlflow_uri: Annotated[
        str, typer.Option(envvar=MLFLOW_VARIABLES, help="The MLflow server.", rich_help_panel=IN_MLFLOW)
    ] = "http://127.0.0.1:5000",
) -> None:
    """Send a labelled set through the gateway; report errors, coverage of the ellipses, NEES.

    Ends with status 1 when the version is not calibrated: at one of the levels 50, 68, 90 and 95 % the 99 %
    interval lies wholly outside the level ± 2 points. Status 2: it could not be evaluated.
    """
    if apply and not fit_scale:
        raise typer.BadParameter("goes with --fit-scale", param_hint="--apply")
    with _failing():
        evaluation, built = _evaluate(
            GatewayClient(url, key), model, version, data, fit_scale=fit_scale, concurrency=concurrency
        )
        with _folder(report, needed=log) as folder:
            if folder is not None:
                from cli.evaluation.report import write

                write(folder, evaluation, built, f"{model} version {version}")
            if log:
                _log(mlflow_uri, evaluation, built, folder)
        if apply:
            built["applied"] = _apply(mlflow_uri, model, version, evaluation)
    if as_json:
        sys.stdout.write(json.dumps(built, indent=2) + "\n")
    else:
        from cli.evaluation.show import show

        show(evaluation, output())
    if not evaluation.overall.calibrated:
        raise typer.Exit(NOT_CALIBRATED)


@contextmanager
def _failing() -> Iterator[None]:
    """What keeps an evaluation from being made is said in one line."""
    from cli.evaluation.judge import NothingToJudge
    from cli.evaluation.labelled_set import UnusableSet
    from sync.errors import SyncError

    try:
        yield
    except (GatewayError, NothingToJudge, UnusableSet, SyncError, OSError) as error:
        told = f"fixgate evaluate: {error}"
        Console(stderr=True).print(told, style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(NOT_EVALUATED) from None


def _evaluate(
    client: GatewayClient, model: str, version: int, data: Path, *, fit_scale: bool, concurrency: int
) -> tuple["Evaluation", dict[str, Any]]:
    """The evaluation, and itself as a document."""
    from cli.evaluation import document, judge
    from cli.evaluation.labelled_set import open_set

    labelled = open_set(data)
    path = model_path(model, str(version))
    scale = float(client.get(path)["sigma_scale"])
    at = time.time()
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("recordings", total=len(labelled))
        advance = partial(progress.advance, task)
        judged = judge.ask(client, f"{path}/predict", labelled, concurrency=concurrency, advance=advance)
    evaluation = judge.evaluate_fit(judged, scale) if fit_scale else judge.evaluate(judged, scale)
    return evaluation, {"model": model, "version": version, "at": at, **document.document(evaluation)}


@contextmanager
def _folder(report: Path | None, *, needed: bool) -> Iterator[Path | None]:
    """Where the report goes: the user's folder, one that is thrown away after logging, or nowhere."""
    if report is not None or not needed:
        yield report
        return
    with TemporaryDirectory(prefix="fixgate-evaluate-") as folder:
        yield Path(folder)


def _log(uri: str, evaluation: "Evaluation", built: dict[str, Any], folder: Path | None) -> None:
    from cli.evaluation.document import brief, metrics
    from sync.evaluation_record import log_evaluation

    log_evaluation(
        uri,
        built["model"],
        built["version"],
        summary=brief(built),
        metrics=metrics(evaluation),
        report=folder,
        at=built["at"],
    )


def _apply(uri: str, model: str, version: int, evaluation: "Evaluation") -> bool:
    """Set the version's scale, unless it would make the half that it was not fitted on worse."""
    from sync.evaluation_record import apply_sigma_scale

    if evaluation.fit is None or not evaluation.fit.helps:
        told = "not applied: on the half that it was not fitted on, the scale is no improvement"
        Console(stderr=True).print(told, style="yellow", soft_wrap=True)
        return False
    apply_sigma_scale(uri, model, version, evaluation.sigma_scale)
    return True
