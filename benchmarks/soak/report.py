"""What a soak showed: verdict, tables, plots. Pure but for `write`."""

import datetime as dt
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import machine, plots
from benchmarks.record import Plot
from benchmarks.soak.faults import Fault
from benchmarks.soak.slope import Slope, slope
from benchmarks.soak.stack import PARTS, Usage
from benchmarks.soak.traffic import Seen

WHAT = {"rss_mb": "RSS, MB", "files": "file descriptors", "threads": "threads"}
BROKEN = {0: "connection broken", -1: "no answer"}


@dataclass(slots=True)
class Run:
    """All that was seen. Times in seconds of one monotonic clock, `began` the first."""

    began: float
    answers: list[Seen] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    switches: int = 0
    samples: list[tuple[float, dict[str, Usage], int]] = field(default_factory=list)

    @property
    def unexplained(self) -> list[Seen]:
        """Answers that were not as expected, and no fault excuses."""
        return [one for one in self.answers if not one.expected and not self.excused(one)]

    def excused(self, one: Seen) -> bool:
        """Whether a fault explains an answer."""
        return any(fault.excuse(one.at, one.took, one.status) for fault in self.faults)

    @property
    def segments(self) -> list[int]:
        """How many segments of shared memory there were, over time."""
        return [count for *_, count in self.samples]

    def slopes(self, *, lately: bool = False) -> dict[tuple[str, str], Slope]:
        """Trends by part and by what it uses; `lately`: in the second half of each of its lives."""
        found = {}
        for part in PARTS:
            here = [(at, usage[part]) for at, usage, _ in self.samples if part in usage]
            times, usages = zip(*here, strict=True) if here else ((), ())
            for what in WHAT:
                if (trend := slope(times, usages, what, lately=lately)) is not None:
                    found[part, what] = trend
        return found

    @property
    def failures(self) -> list[str]:
        """Why it is no pass; empty when it is one."""
        counted = Counter((one.kind, one.status, one.detail[:120]) for one in self.unexplained)
        first = {(one.kind, one.status, one.detail[:120]): one.at for one in reversed(self.unexplained)}
        found = []
        for (kind, status, text), count in counted.items():
            minute = (first[kind, status, text] - self.began) / 60
            found.append(f"{count} x {kind}: status {status} {text} (first in minute {minute:.1f})")
        found += [f"wrong answer: {one}" for one in self.wrong]
        lately = self.slopes(lately=True)
        found += [
            f"{part}: {WHAT[what]} grows by {trend.low:.1f} to {trend.high:.1f} an hour"
            for (part, what), trend in self.slopes().items()
            if trend.leaks and ((part, what) not in lately or lately[part, what].leaks)
        ]
        half, quarter = self.segments[: len(self.samples) // 2], self.segments[-(len(self.samples) // 4) :]
        if half and quarter and min(quarter) > max(half):
            found.append(f"shared memory: {min(quarter)} segments at last, {max(half)} before")
        return found


def write(run: Run, folder: Path) -> Path:
    """RESULTS.md and its plots; returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, plot in _plots(run).items():
        (folder / f"{name}.svg").write_text(plots.draw(plot), encoding="utf-8")
    page = folder / "RESULTS.md"
    page.write_text("\n".join(_page(run)) + "\n", encoding="utf-8")
    return page


def _page(run: Run) -> list[str]:
    lasted = (run.answers[-1].at - run.began) / 60
    served = [one for one in run.answers if one.kind != "bad" and one.status == 200]
    hits = sum(one.cached for one in served) / max(1, sum(one.kind != "batch" for one in served))
    verdict = "**PASS**" if not run.failures else "**FAIL**"
    summary = (
        f"{verdict}: {lasted:.0f} minutes of mixed traffic through `fixgate up`, {len(run.answers):,} "
        f"requests, {run.switches} moves of the champion, {len(run.faults)} faults, {len(run.unexplained)} "
        f"unexplained errors, {len(run.wrong)} wrong answers; hit rate of single recordings {hits:.0%}."
    )
    today = dt.datetime.now(dt.UTC).date()
    lines = [
        "# Soak",
        "",
        summary,
        "",
        f"{today}, {machine.describe()}; load average at the end {machine.load():.1f}.",
        *(["", *(f"- {one}" for one in run.failures)] if run.failures else []),
        "",
        "## Growth an hour, 95 % interval",
        "",
        "| part | " + " | ".join(WHAT.values()) + " |",
        "|---|" + "---|" * len(WHAT),
    ]
    trends = run.slopes()
    for part in PARTS:
        cells = [_cell(trends.get((part, what))) for what in WHAT]
        lines.append(f"| {part} | {' | '.join(cells)} |")
    found = run.segments
    lines += ["", f"Segments of shared memory: {min(found)} to {max(found)}, {found[-1]} at last.", ""]
    lines += [
        "A part that is killed begins anew: each life counts by itself, from its third minute.",
        "",
    ]
    lines += [f"![{WHAT[what]}]({what}.svg)" for what in WHAT]
    lines += ["", "## Latency", "", "![Latency](latency.svg)", "", *_latencies(run)]
    return [*lines, "", "## Errors", "", *_errors(run), "", "## Faults", "", *_faults(run)]


def _cell(trend: Slope | None) -> str:
    if trend is None:
        return "–"
    return f"{trend.per_hour:+.1f} ({trend.low:+.1f} … {trend.high:+.1f}), mean {trend.mean:.0f}"


def _latencies(run: Run) -> list[str]:
    lines = ["| kind | requests | p50 ms | p95 ms | p99 ms |", "|---|---|---|---|---|"]
    for kind in dict.fromkeys(one.kind for one in run.answers if one.expected):
        took = [one.took * 1e3 for one in run.answers if one.kind == kind and one.expected]
        p50, p95, p99 = np.percentile(took, (50, 95, 99))
        lines.append(f"| {kind} | {len(took):,} | {p50:.1f} | {p95:.1f} | {p99:.1f} |")
    return lines


def _errors(run: Run) -> list[str]:
    """By class. What is meant to be refused is bad input."""
    lines = ["| class | bad input, refused | excused by a fault | unexplained |", "|---|---|---|---|"]
    classes: dict[str, list[int]] = {}
    for one in run.answers:
        if one.status != 200:
            name = BROKEN.get(one.status) or f"{one.status} {one.error}".rstrip()
            place = 0 if one.expected else 1 if run.excused(one) else 2
            classes.setdefault(name, [0, 0, 0])[place] += 1
    return lines + [
        f"| {name} | {' | '.join(map(str, counts))} |" for name, counts in sorted(classes.items())
    ]


def _faults(run: Run) -> list[str]:
    lines = ["| minute | fault | ready again after s | requests not answered |", "|---|---|---|---|"]
    for fault in run.faults:
        lost = sum(not one.expected and fault.excuse(one.at, one.took, one.status) for one in run.answers)
        minute, took = (fault.began - run.began) / 60, fault.ended - fault.began
        lines.append(f"| {minute:.0f} | {fault.name} | {took:.1f} | {lost} |")
    return lines


def _plots(run: Run) -> dict[str, Plot]:
    single = [one for one in run.answers if one.expected and one.kind in ("hit", "new")]
    took = _by_minute(run.began, single)
    used = {
        what: Plot("curves", f"{told}, by part", "", _over_time(run, what), across="minutes")
        for what, told in WHAT.items()
    }
    return used | {
        "latency": Plot(
            "curves", "Latency of single recordings by minute", "ms", took, line=500.0, across="minutes"
        ),
    }


def _over_time(run: Run, what: str) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for at, usages, _ in run.samples:
        for part, usage in usages.items():
            found.setdefault(part, []).append(((at - run.began) / 60, float(getattr(usage, what))))
    return found


def _by_minute(began: float, answers: Sequence[Seen]) -> dict[str, list[tuple[float, float]]]:
    minutes: dict[int, list[float]] = {}
    for one in answers:
        minutes.setdefault(int((one.at - began) // 60), []).append(one.took * 1e3)
    return {
        "p50": [(float(minute), statistics.median(took)) for minute, took in sorted(minutes.items())],
        "p95": [(float(minute), float(np.percentile(took, 95))) for minute, took in sorted(minutes.items())],
    }
