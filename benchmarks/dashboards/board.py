"""A Grafana dashboard's file as what has to be asked and drawn (pure)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "deploy/grafana/dashboards"


@dataclass(frozen=True, slots=True)
class Target:
    """A query and how its series are called: `{{label}}` stands for a label's value."""

    expression: str
    legend: str

    def name(self, labels: Mapping[str, str]) -> str:
        """What the series with these labels is called."""
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), self.legend).strip()


@dataclass(frozen=True, slots=True)
class Place:
    """In Grafana's grid: 24 columns, rows from the top."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. `steps` are colours from a value on; `lines`: those values are drawn."""

    kind: str
    title: str
    about: str
    unit: str
    place: Place
    targets: tuple[Target, ...]
    steps: tuple[tuple[float, str], ...]
    lines: bool
    least: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class Board:
    """A page of panels; `marks` are the queries of its vertical lines."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    marks: tuple[str, ...]


def read(path: Path) -> Board:
    """The dashboard in a file, over all values of its variables."""
    document = json.loads(path.read_text())
    everything = {each["name"]: each["allValue"] for each in document["templating"]["list"]}
    return Board(
        path.stem,
        document["title"],
        tuple(_panel(each, everything) for each in document["panels"]),
        tuple(_filled(each["expr"], everything) for each in document["annotations"]["list"]),
    )


def boards() -> list[Board]:
    """Every dashboard there is."""
    return [read(path) for path in sorted(FOLDER.glob("*.json"))]


def _panel(given: Mapping[str, Any], variables: Mapping[str, str]) -> Panel:
    shown = given["fieldConfig"]["defaults"]
    grid = given["gridPos"]
    return Panel(
        kind=given["type"],
        title=given["title"],
        about=given.get("description", ""),
        unit=shown.get("unit", "none"),
        place=Place(grid["x"], grid["y"], grid["w"], grid["h"]),
        targets=tuple(
            Target(_filled(each["expr"], variables), each.get("legendFormat", ""))
            for each in given["targets"]
        ),
        steps=tuple(
            (float("-inf") if step["value"] is None else float(step["value"]), step["color"])
            for step in shown.get("thresholds", {}).get("steps", ())
        ),
        lines="thresholdsStyle" in shown.get("custom", {}),
        least=shown.get("min"),
        most=shown.get("max"),
    )


def _filled(expression: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda found: variables.get(found[1], found[0]), expression)
