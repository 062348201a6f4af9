"""What Prometheus has for each panel of a dashboard."""

from dataclasses import dataclass

from benchmarks.dashboards.board import Board, Panel
from tests.prometheus_server import Prometheus

POINTS = 300


@dataclass(frozen=True, slots=True)
class Series:
    """A curve; `at` are minutes since the beginning, `step` apart where there are numbers. `sort` is the
    bound of a histogram's bucket, or 0.
    """

    name: str
    at: tuple[float, ...]
    values: tuple[float, ...]
    sort: float = 0.0
    step: float = 1.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """A panel and its curves."""

    panel: Panel
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A dashboard with everything to draw it; `marks` are minutes."""

    board: Board
    minutes: float
    panels: tuple[Drawn, ...]
    marks: tuple[float, ...]

    @property
    def empty(self) -> list[str]:
        """Panels without a single number."""
        return [one.panel.title for one in self.panels if not one.series]


def page(board: Board, prometheus: Prometheus, start: float, end: float) -> Page:
    """Ask every query of a dashboard over a time, unix seconds."""
    step = max(1.0, (end - start) / POINTS)

    def ask(expression: str, panel: Panel | None = None, legend: int = 0) -> list[Series]:
        found = []
        for each in prometheus.query_range(expression, start, end, step):
            pairs = [((at - start) / 60, float(value)) for at, value in each["values"]]
            good = [(at, value) for at, value in pairs if value == value]  # noqa: PLR0124 NaN
            name = panel.targets[legend].name(each["metric"]) if panel else ""
            bound = each["metric"].get("le", "0")
            if good:
                found.append(Series(name, *_columns(good), float(bound), step / 60))
        return sorted(found, key=lambda one: (one.sort, one.name))

    drawn = [
        Drawn(panel, tuple(one for n, t in enumerate(panel.targets) for one in ask(t.expression, panel, n)))
        for panel in board.panels
    ]
    marks = {
        _first(run) for query in board.marks for one in ask(query) for run in _runs(one.at, 2 * step / 60)
    }
    return Page(board, (end - start) / 60, tuple(drawn), tuple(sorted(marks)))


def _columns(pairs: list[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(at for at, _ in pairs), tuple(value for _, value in pairs)


def _runs(times: tuple[float, ...], gap: float) -> list[list[float]]:
    """The times in groups that lie close together: a mark's query holds for a while."""
    runs: list[list[float]] = []
    for at in times:
        if runs and at - runs[-1][-1] <= gap:
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def _first(run: list[float]) -> float:
    return run[0]
