"""The report of a load test: Markdown, and HTML that needs nothing else (pure)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isnan

from benchmarks.loadtest.run import Outcome
from benchmarks.loadtest.traffic import KINDS
from benchmarks.loadtest.verdict import Check, Request, Summary, summary

COLUMNS = ("", "requests", "refused", "failed", "answers/s", "mean ms", "p50 ms", "p95 ms", "p99 ms")
WIDTH, HEIGHT, LEFT = 720, 220, 48

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .25rem .75rem; text-align: right }
td:first-child, th:first-child { text-align: left } tr { border-bottom: 1px solid #d5dbe1 }
.PASS { color: #0a7d33 } .FAIL { color: #b00020 } small { color: #5b6773 }
"""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One profile with its checks."""

    title: str
    outcome: Outcome
    checks: Sequence[Check]

    @property
    def passed(self) -> bool:
        """Every check holds."""
        return all(check.holds for check in self.checks)


@dataclass(frozen=True, slots=True)
class Report:
    """All profiles of one run; `about` are sentences, `taken` when and where."""

    title: str
    about: Sequence[str]
    taken: str
    chapters: Sequence[Chapter]

    @property
    def verdict(self) -> str:
        """PASS when every chapter is passed."""
        return "PASS" if all(chapter.passed for chapter in self.chapters) else "FAIL"


def markdown(report: Report) -> str:
    """As a page."""
    parts = [f"# {report.title}: {report.verdict}", *report.about]
    for chapter in report.chapters:
        parts += [
            f"## {chapter.title}: {'PASS' if chapter.passed else 'FAIL'}",
            _pipes(("check", "bound", "figure", ""), [_cells(check) for check in chapter.checks]),
            _pipes(COLUMNS, rows(chapter.outcome)),
            statuses(chapter.outcome),
        ]
    return "\n\n".join([*parts, f"<sub>{report.taken}</sub>"]) + "\n"


def html(report: Report) -> str:
    """As a document of its own."""
    parts = [f'<h1>{escape(report.title)}: <span class="{report.verdict}">{report.verdict}</span></h1>']
    parts += [f"<p>{escape(sentence)}</p>" for sentence in report.about]
    for chapter in report.chapters:
        verdict = "PASS" if chapter.passed else "FAIL"
        parts += [
            f'<h2>{escape(chapter.title)}: <span class="{verdict}">{verdict}</span></h2>',
            _html_table(("check", "bound", "figure", ""), [_cells(check) for check in chapter.checks]),
            _html_table(COLUMNS, rows(chapter.outcome)),
            f"<p>{statuses(chapter.outcome)}</p>",
            over_time(chapter.outcome),
        ]
    parts.append(f"<p><small>{escape(report.taken)}</small></p>")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(report.title)}</title>'
    return f"{head}<style>{STYLE}</style>" + "\n".join(parts) + "\n</html>\n"


def rows(outcome: Outcome) -> list[list[str]]:
    """All requests, then each kind."""
    table = [_row("all", summary(outcome.requests, outcome.seconds))]
    for kind in KINDS:
        some = [one for one in outcome.requests if one.kind == kind]
        table.append(_row(kind, summary(some, outcome.seconds)))
    return table


def statuses(outcome: Outcome) -> str:
    """How many requests were answered with which status."""
    counted = sorted(Counter(one.status for one in outcome.requests).items())
    return "Answers: " + ", ".join(f"{count:,} × {status or 'none'}" for status, count in counted) + "."


def over_time(outcome: Outcome) -> str:
    """An SVG: median and p95 of the answers in each second."""
    seconds = _by_second(outcome.requests)
    told = [(at, summary(some, 1.0)) for at, some in sorted(seconds.items())]
    told = [(at, one) for at, one in told if one.good]
    if not told:
        return ""
    highest = max(one.p95_ms for _, one in told) * 1.1
    first, last = told[0][0], max(told[-1][0], told[0][0] + 1)

    def line(name: str, colour: str) -> str:
        points = " ".join(
            f"{LEFT + (at - first) / (last - first) * (WIDTH - LEFT - 8):.1f},"
            f"{HEIGHT - 24 - getattr(one, name) / highest * (HEIGHT - 40):.1f}"
            for at, one in told
        )
        return f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}"/>'

    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" font-size="11" '
        f'aria-label="latency over time"><text x="0" y="20">{highest:.0f} ms</text>'
        f'<text x="0" y="{HEIGHT - 22}">0</text><text x="{LEFT}" y="{HEIGHT - 4}">'
        f"median (grey) and p95 (blue) of the answers in each second, {last - first + 1} s</text>"
        f'<line x1="{LEFT}" x2="{WIDTH}" y1="{HEIGHT - 24}" y2="{HEIGHT - 24}" stroke="#9aa5b1"/>'
        f"{line('p50_ms', '#9aa5b1')}{line('p95_ms', '#0b6e99')}</svg>"
    )


def _by_second(requests: Sequence[Request]) -> dict[int, list[Request]]:
    seconds: dict[int, list[Request]] = {}
    for one in requests:
        seconds.setdefault(int(one.at_s), []).append(one)
    return seconds


def _row(name: str, told: Summary) -> list[str]:
    counts = [f"{count:,}" for count in (told.requests, told.refused, told.failed)]
    times = (told.mean_ms, told.p50_ms, told.p95_ms, told.p99_ms)
    return [name, *counts, f"{told.per_s:.0f}", *("-" if isnan(ms) else f"{ms:.0f}" for ms in times)]


def _cells(check: Check) -> list[str]:
    return [check.what, check.bound, check.figure, "holds" if check.holds else "does not hold"]


def _pipes(heading: Sequence[str], table: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] + ["---:"] * (len(heading) - 1), *table]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _html_table(heading: Sequence[str], table: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in heading)
    body = "".join("<tr>" + "".join(f"<td>{escape(one)}</td>" for one in line) + "</tr>" for line in table)
    return f"<table><tr>{head}</tr>{body}</table>"
