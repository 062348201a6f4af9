"""Predictions as a table for a terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.formats.answer import Answer
from cli.formats.units import degrees, metres, percent


def show(answers: Sequence[Answer], console: Console) -> None:
    """Print one line per prediction; without lines and colours when it is not a terminal."""
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    table.add_column("file", overflow="fold")
    for heading in ("latitude", "longitude", "level", "ellipse", "bearing", "CEP50", "R95", "confidence"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("version", overflow="fold")
    for answer in answers:
        table.add_row(*map(Text, _row(answer)))
    console.print(table)


def _row(answer: Answer) -> tuple[str, ...]:
    document = answer.document
    place, ellipse = document["position"], document["ellipse"]
    return (
        answer.name,
        degrees(place["latitude"]),
        degrees(place["longitude"]),
        percent(ellipse["confidence_level"]),
        f"{metres(ellipse['semi_major_m'])} × {metres(ellipse['semi_minor_m'])}",
        f"{ellipse['orientation_deg']:.0f}°",
        metres(ellipse["cep50_m"]),
        metres(ellipse["r95_m"]),
        percent(round(document["confidence"], 3)),
        f"{document['model']} {document['model_version']}",
    )
