"""The bars that the project has set itself, and whether a figure clears them (pure)."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.rounds import spread


@dataclass(frozen=True, slots=True)
class Bar:
    """`least`: the figure must be at least the bar, else at most it. `section` measures it."""

    key: str
    what: str
    section: str
    bar: float
    reach: float | None = None
    least: bool = False
    unit: str = ""

    def meets(self, figure: float, bound: float) -> bool:
        """Whether the figure is on the right side of `bound`."""
        return figure >= bound if self.least else figure <= bound

    def verdict(self, values: Sequence[float]) -> str:
        """Of the median."""
        figure = statistics.median(values)
        if self.reach is not None and self.meets(figure, self.reach):
            return "reached"
        return "met" if self.meets(figure, self.bar) else "**missed**"

    def bound(self, value: float | None) -> str:
        """The bar, or what to reach for, as it is written."""
        if value is None:
            return ""
        return f"{'≥' if self.least else '≤'} {value:g}{self.unit}"

    def figure(self, values: Sequence[float]) -> str:
        """Median and spread."""
        return f"{spread(values)}{self.unit}"


BARS = (
    Bar(
        "1",
        "small, no cache, f32 tensor body: gateway ÷ Triton direct HTTP",
        "small",
        0.9,
        1.1,
        least=True,
    ),
    Bar("2", "the same ÷ FastAPI + onnxruntime with 2 workers", "small", 1.1, 1.5, least=True),
    Bar(
        "3",
        "tiny, no cache: rows/s ÷ onnxruntime's own best batch in process",
        "tiny",
        0.93,
        0.97,
        least=True,
    ),
    Bar("4", "tiny, no cache: ÷ the best of all peers other than Triton", "tiny", 1.7, 1.85, least=True),
    Bar("5", "tiny, no cache: p95", "tiny", 500, 400, unit=" ms"),
    Bar(
        "6",
        "highest Poisson rate with p95 < 500 ms, tiny ÷ best peer",
        "arrivals",
        1.7,
        2.0,
        least=True,
    ),
    Bar("7", "added p50 at 1 connection over Triton direct", "one-connection", 0.5, 0.3, unit=" ms"),
    Bar("8", "L1 hit, f32 body ÷ a bare aiohttp handler", "hits", 0.4, 0.6, least=True),
    Bar("9", "L2 hit (fresh process) ÷ the bare handler", "hits", 0.2, 0.3, least=True),
    Bar("10", "Zipf s = 1.1 over 10,000 recordings: hit rate", "zipf", 0.8, least=True),
    Bar("10 p95", "the same: p95 with tiny", "zipf", 500, unit=" ms"),
    Bar("11", "gateway RSS after 1,000,000 requests ÷ after 10,000", "memory", 1.1),
    Bar("11 MB", "the same: RSS after 1,000,000 requests", "memory", 200, unit=" MB"),
    Bar(
        "12",
        "IQ through the front-end (3 × 17,920 cf32) ÷ FastAPI doing the same work (2 workers)",
        "iq",
        1.0,
        1.3,
        least=True,
    ),
    Bar("health", "`/health` p99 with 3 × 192,000-sample requests in flight", "health", 20, unit=" ms"),
    Bar("batch", "100 items in a batch ÷ one item, tiny", "batch", 10),
)


def rows(figures: dict[str, list[float]]) -> list[tuple[str, ...]]:
    """One row per bar: what, bar, reach, figure, verdict."""
    told = []
    for bar in BARS:
        values = figures.get(bar.key)
        figure, verdict = (bar.figure(values), bar.verdict(values)) if values else ("not measured", "")
        told.append((bar.key, bar.what, bar.bound(bar.bar), bar.bound(bar.reach), figure, verdict))
    return told
