"""What a section gives: kept as JSON beside the page that is made from all of them."""

from pathlib import Path
from typing import Any

import msgspec

RESULTS = Path(__file__).parent / "results"


class Plot(msgspec.Struct, frozen=True):
    """`kind` "bars": a bar for every label, of its values by round; "curves": of points (x, y)."""

    kind: str
    title: str
    axis: str
    series: dict[str, list[Any]]
    line: float | None = None
    across: str = ""


class Result(msgspec.Struct, frozen=True):
    """One section's run. `about` says what was measured and how, in Markdown; `figures` are by bar."""

    section: str
    title: str
    about: str
    taken: str
    machine: str
    load_before: float
    rounds: int
    columns: list[str]
    rows: list[list[str]]
    figures: dict[str, list[float]] = {}
    plots: list[Plot] = []
    notes: list[str] = []
    raw: dict[str, Any] = {}

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return RESULTS / f"{self.section}.json"


def keep(result: Result) -> None:
    """Write it, over the last run's."""
    RESULTS.mkdir(exist_ok=True)
    result.file.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")


def kept(folder: Path = RESULTS) -> dict[str, Result]:
    """Every section's last run, by name."""
    found = [msgspec.json.decode(path.read_bytes(), type=Result) for path in sorted(folder.glob("*.json"))]
    return {result.section: result for result in found}
