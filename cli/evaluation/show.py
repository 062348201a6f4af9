"""An evaluation on the terminal."""

from rich.console import Console
from rich.text import Text

from cli.console import table
from cli.evaluation.judge import Evaluation
from cli.formats.units import metres
from gateway.uncertainty.calibration import Summary


def show(evaluation: Evaluation, console: Console) -> None:
    """Print it."""
    rows = table(console)
    rows.add_column("region", overflow="fold", min_width=6)
    for heading in ("count", "p50", "p95", "R95"):
        rows.add_column(heading, justify="right", no_wrap=True)
    for one in evaluation.overall.coverage:
        rows.add_column(f"in {one.level:.0%}", justify="right", no_wrap=True)
    rows.add_column("NEES", justify="right", no_wrap=True)
    for name, summary in [("all", evaluation.overall), *evaluation.regions.items()]:
        rows.add_row(*_row(name, summary))
    console.print(rows)
    for reason, count in evaluation.failures.items():
        console.print(f"without an answer: {count:,} × {reason}", style="yellow", markup=False)
    for line in _verdict(evaluation):
        console.print(line, markup=False)


def _row(name: str, summary: Summary) -> list[Text]:
    errors = [metres(summary.percentiles_m[percentile]) for percentile in (50, 95)]
    return [
        *map(Text, (name, f"{summary.count:,}", *errors, metres(summary.median_r95_m))),
        *(Text(f"{one.share:.1%}", "red" if one.off else "") for one in summary.coverage),
        Text(f"{summary.nees:.3g}"),
    ]


def _verdict(evaluation: Evaluation) -> list[str]:
    lines = []
    if evaluation.fit is not None:
        fit = evaluation.fit
        lines.append(
            f"σ scale {evaluation.sigma_scale:.4g} ({fit.scale:.4g} times what is in force), fitted on "
            f"{fit.fitted_on:,} other recordings: largest miss {fit.before:.1%} before, {fit.after:.1%} after"
        )
    for one in evaluation.overall.coverage:
        if one.off:
            low, high = (f"{bound:.1%}" for bound in one.interval)
            lines.append(f"off: the {one.level:.0%} ellipse holds {low} to {high} (99 % interval)")
    return [*lines, "calibrated" if evaluation.overall.calibrated else "not calibrated"]
