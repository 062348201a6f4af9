"""The report as one HTML page without scripts: verdict, plot, tables."""

from datetime import UTC, datetime
from html import escape

from cli.evaluation.judge import Evaluation
from cli.formats.units import metres
from gateway.uncertainty.calibration import Summary

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1rem 0; background: #fff; }
figure svg { width: 100%; height: auto; }
.good { color: #1a7f37; } .bad { color: #cf222e; } td.bad { font-weight: 600; }
"""


def page(evaluation: Evaluation, title: str, plot_svg: bytes, made_at: float) -> str:
    """The whole page; `made_at` Unix seconds."""
    made = datetime.fromtimestamp(made_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    svg = plot_svg.decode()
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{STYLE}</style></head>
<body>
<h1>{escape(title)}</h1>
{_verdict(evaluation)}
<figure>{svg[svg.index("<svg") :]}</figure>
<h2>Coverage</h2>
<p>Share of truths inside the ellipse at each level, with Wilson's 99 % interval; red: the interval lies
wholly outside the level ± 2 points.</p>
{_coverage(evaluation)}
<h2>Errors and sharpness</h2>
{_errors(evaluation)}
{_failures(evaluation)}
<p><small>{made}</small></p>
</body>
</html>
"""


def _verdict(evaluation: Evaluation) -> str:
    good = evaluation.overall.calibrated
    text = "Calibrated" if good else "Not calibrated"
    fit = evaluation.fit
    about = f"{evaluation.overall.count:,} recordings, σ scale {evaluation.sigma_scale:.4g}"
    if fit is not None:
        about += (
            f" as fitted on {fit.fitted_on:,} others: the largest miss over the four levels goes from "
            f"{fit.before:.1%} to {fit.after:.1%}"
        )
    return f'<p class="{"good" if good else "bad"}"><strong>{text}.</strong></p><p>{about}.</p>'


def _coverage(evaluation: Evaluation) -> str:
    head = "".join(f"<th>{one.level:.0%}</th>" for one in evaluation.overall.coverage)
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{summary.count:,}</td>{_coverage_cells(summary)}</tr>"
        for name, summary in _rows(evaluation)
    )
    return f"<table><tr><th>region</th><th>recordings</th>{head}</tr>{rows}</table>"


def _coverage_cells(summary: Summary) -> str:
    cells = []
    for one in summary.coverage:
        low, high = one.interval
        colour = ' class="bad"' if one.off else ""
        cells.append(f"<td{colour}>{one.share:.1%}<br><small>{low:.1%} – {high:.1%}</small></td>")
    return "".join(cells)


def _errors(evaluation: Evaluation) -> str:
    percentiles = evaluation.overall.percentiles_m
    head = "".join(f"<th>{percentile} %</th>" for percentile in percentiles)
    rows = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{metres(error)}</td>" for error in summary.percentiles_m.values())
        + f"<td>{metres(summary.mean_error_m)}</td><td>{metres(summary.median_r95_m)}</td>"
        f"<td>{summary.nees:.3g}</td></tr>"
        for name, summary in _rows(evaluation)
    )
    return (
        f"<table><tr><th>region</th>{head}<th>mean</th><th>median R95</th><th>NEES</th></tr>{rows}</table>"
        "<p>Errors by percentile. Median R95: how much uncertainty is stated, less is sharper. NEES: mean of "
        "the squared Mahalanobis distance, 2 when σ is right.</p>"
    )


def _failures(evaluation: Evaluation) -> str:
    if not evaluation.failures:
        return ""
    items = "".join(f"<li>{count:,} × {escape(reason)}</li>" for reason, count in evaluation.failures.items())
    return f"<h2>Without an answer</h2><ul>{items}</ul>"


def _rows(evaluation: Evaluation) -> list[tuple[str, Summary]]:
    return [("all", evaluation.overall), *evaluation.regions.items()]
