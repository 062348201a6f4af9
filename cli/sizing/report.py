"""What capacity was found (pure): a table, sentences, a page, a curve as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from cli.load.replicas import ASSUMPTION, replicas
from cli.load.trials import Trial

HEADINGS = ("requests/s", "p50 ms", "p95 ms", "p99 ms", "slowest ms", "")
WIDTH, HEIGHT, LEFT, BOTTOM = 720, 320, 56, 40


@dataclass(frozen=True, slots=True)
class Capacity:
    """What was found for one model. `held`: the highest rate that kept the objective; None: none did."""

    model: str
    objective_ms: float
    seconds: float
    trials: Sequence[Trial]
    held: float | None
    wanted: Sequence[float]

    @property
    def lag_ms(self) -> float:
        """How late the generator itself was, at worst over the rates that were borne."""
        return max((trial.lag_ms for trial in self.trials if trial.borne), default=0.0)


def rows(found: Capacity) -> list[tuple[str, ...]]:
    """One row per rate, in ascending order."""
    return [_row(trial, found.objective_ms) for trial in sorted(found.trials, key=lambda one: one.rate)]


def sentences(found: Capacity) -> list[str]:
    """What it means."""
    objective = f"95 % within {found.objective_ms:g} ms, none failed or refused"
    if found.held is None:
        lowest = min(trial.rate for trial in found.trials)
        return [f"Not even {lowest:g}/s was borne ({objective})."]
    told = [f"{found.model} bears {found.held:.3g} requests/s here ({objective}, no cache)."]
    for rate in found.wanted:
        count = replicas(rate, found.held)
        told.append(
            f"{rate:g}/s: {count} {'replica' if count == 1 else 'replicas'}, {count + 1} to lose one."
        )
    if found.wanted:
        told.append(f"Assumption: {ASSUMPTION}. With a cache that answers a share h, divide by 1 - h.")
    if found.lag_ms > found.objective_ms / 20:
        told.append(
            f"Careful: the load generator itself was up to {found.lag_ms:.0f} ms late, so it took part in "
            "what was measured; run it on another machine (--url)."
        )
    return told


def page(found: Capacity, picture: str, machine: str) -> str:
    """The report in Markdown."""
    heading = "| " + " | ".join(HEADINGS) + " |\n|" + "---:|" * (len(HEADINGS) - 1) + "---|"
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows(found))
    parts = [
        f"# Capacity of {found.model}",
        *sentences(found),
        f"![p95 latency over arrival rate]({picture})",
        f"{heading}\n{table}",
        f"Open loop: Poisson arrivals, {found.seconds:g} s a rate, latency from when a request was due.",
        f"<sub>{machine}</sub>",
    ]
    return "\n\n".join(parts) + "\n"


def curve(found: Capacity) -> str:
    """p50 and p95 over the arrival rate as SVG, with the objective and the highest rate that kept it."""
    whole = sorted((one.rate, one) for one in found.trials if one.figures and not one.given_up)
    right = max(trial.rate for trial in found.trials) * 1.05
    figures = [(rate, trial.figures) for rate, trial in whole if trial.figures]
    top = max([found.objective_ms, *(each.p95_ms for _, each in figures)]) * 1.15

    def x(rate: float) -> float:
        return LEFT + rate / right * (WIDTH - LEFT - 16)

    def y(ms: float) -> float:
        return HEIGHT - BOTTOM - ms / top * (HEIGHT - BOTTOM - 24)

    def line(colour: str, points: list[tuple[float, float]]) -> str:
        drawn = " ".join(f"{x(rate):.1f},{y(ms):.1f}" for rate, ms in points)
        dots = "".join(
            f'<circle cx="{x(r):.1f}" cy="{y(ms):.1f}" r="3" fill="{colour}"/>' for r, ms in points
        )
        return f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{drawn}"/>{dots}'

    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12"'
    parts = [
        f'{start} font-family="sans-serif"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _rule(LEFT, y(0), WIDTH - 16, y(0), "#333"),
        _rule(LEFT, y(0), LEFT, 24, "#333"),
        _rule(LEFT, y(found.objective_ms), WIDTH - 16, y(found.objective_ms), "#b00020", dashed=True),
        _text(LEFT + 6, y(found.objective_ms) - 5, f"objective {found.objective_ms:g} ms", "#b00020"),
        line("#9aa5b1", [(rate, each.p50_ms) for rate, each in figures]),
        line("#0b6e99", [(rate, each.p95_ms) for rate, each in figures]),
        _text(LEFT, 16, "latency, ms: p95 (blue), p50 (grey)", "#333"),
        _text(WIDTH / 2 - 60, HEIGHT - 8, "arrivals, requests/s", "#333"),
    ]
    if found.held is not None:
        parts.append(_rule(x(found.held), y(0), x(found.held), 24, "#0a7d33", dashed=True))
        parts.append(_text(x(found.held) - 46, 16, f"{found.held:.3g}/s", "#0a7d33"))
    parts += [_text(x(tick) - 8, y(0) + 16, f"{tick:g}", "#333") for tick in _ticks(right)]
    parts += [_text(8, y(tick) + 4, f"{tick:g}", "#333") for tick in _ticks(top)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(trial: Trial, objective_ms: float) -> tuple[str, ...]:
    rate = f"{trial.rate:.1f}"
    if trial.given_up or trial.figures is None:
        failures = trial.figures.failures if trial.figures is not None else {}
        statuses = ", ".join(str(status or "no answer") for status in failures)
        why = f"a request failed: {statuses}" if failures else f"too many over {objective_ms:g} ms"
        return (rate, "", "", "", "", why)
    told = trial.figures
    times = (told.p50_ms, told.p95_ms, told.p99_ms, told.slowest_ms)
    return (rate, *(f"{ms:.1f}" for ms in times), "borne" if trial.borne else "missed")


def _ticks(top: float) -> list[float]:
    """Round numbers from 0 to `top`, four to eight of them."""
    step = next(s * 10**e for e in range(-2, 7) for s in (1, 2, 5) if top / (s * 10**e) <= 8)
    return [round(step * place, 6) for place in range(int(top / step) + 1)]


def _rule(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dash}/>'


def _text(x: float, y: float, text: str, colour: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}">{text}</text>'
