"""`fixgate tune`: batch size, instances and threads by measurement."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from sync.tuning import Trial


def tune(
    model: Annotated[str, typer.Argument(help="Model that is served.")],
    *,
    goal_ms: Annotated[float, typer.Option(min=1, help="95 % of requests within this time.")] = 500.0,
    clients: Annotated[int, typer.Option(min=1, max=1000, help="Clients at once, one row a request.")] = 32,
    seconds: Annotated[float, typer.Option(min=0.5, help="How long to measure each.")] = 3.0,
    apply: Annotated[
        bool, typer.Option("--apply", help="Put the best in force, through the registry.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure settings through Triton, on a copy beside the model that serves; it takes a minute or two.

    The copy shares the machine with what is served: both are slower while it lasts. --apply writes the tag
    fixgate.settings to the registered model: sync then has Triton load every version again, each beside
    itself, so that requests are answered all the while; a smaller batch size is told to every gateway first.
    Other options as those of sync (docs/sync.md).
    """
    from contract.cpu import cores
    from sync import config as configuration
    from sync import tuning
    from sync.errors import SyncError

    console = Console(highlight=False, stderr=as_json)
    try:
        config = configuration.from_env()
        trials: list[Trial] = []
        with _ended_by_exception(), Live(console=console, transient=True) as live:

            def told(trial: "Trial") -> None:
                trials.append(trial)
                if console.is_terminal:
                    live.update(_table(trials, goal_ms), refresh=True)

            terms = tuning.Terms(goal_ms, clients, seconds)
            tuning.tune(config, model, tuning.candidates(cores(), config.kind), terms, told)
        console.print(_table(trials, goal_ms))
        best = tuning.choose(trials, goal_ms)
        if best is None:
            raise typer.Exit(1)
        if apply:
            tuning.apply(config, model, best.settings)
    except SyncError as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    if as_json:
        _print_json(trials, best)
    else:
        _say(console, best, goal_ms, applied=apply)
    if not best.meets(goal_ms):
        raise typer.Exit(3)


@contextmanager
def _ended_by_exception() -> Iterator[None]:
    """SIGTERM is an exception while this lasts, so that the copy is taken out again."""

    def end(number: int, _frame: object) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)  # a second one must not cut that short
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _table(trials: "list[Trial]", goal_ms: float) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("instances", "threads", "batch", "rows/s", "p50 ms", "p95 ms", ""):
        table.add_column(heading, justify="right")
    for one in trials:
        figures = [str(one.settings.instances), str(one.settings.threads), str(one.settings.max_batch_size)]
        if one.measured is None:
            table.add_row(*figures, "", "", "", one.reason[:60])
            continue
        table.add_row(
            *figures,
            f"{one.measured.rows_per_s:.0f}",
            f"{one.measured.p50_ms:.1f}",
            f"{one.measured.p95_ms:.1f}",
            "ok" if one.meets(goal_ms) else "too slow",
        )
    return table


def _say(console: Console, best: "Trial", goal_ms: float, *, applied: bool) -> None:
    chosen = best.settings
    console.print(
        f"best: {chosen.instances} instance(s) of {chosen.threads} thread(s), batches up to "
        f"{chosen.max_batch_size}"
        + ("" if best.meets(goal_ms) else f"; none keeps 95 % within {goal_ms:g} ms")
    )
    if applied:
        console.print("written to the registry; sync loads every version again, each beside itself")
    else:
        console.print("nothing changed; --apply puts it in force")


def _print_json(trials: "list[Trial]", best: "Trial") -> None:
    import msgspec

    document = {"trials": msgspec.to_builtins(trials), "best": msgspec.to_builtins(best)}
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
