"""Predictions as a table for a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from cli.console import table
from cli.formats.answer import Answer
from cli.formats.units import metres, percent


def show(answers: Sequence[Answer], console: Console) -> None:
    """Print one line per prediction, and before them which model answered."""
    rows = table(console)
    rows.add_column("file", overflow="fold", min_width=8)
    for heading in ("latitude", "longitude", "ellipse", "bearing", "CEP50", "R95", "conf."):
        rows.add_column(heading, justify="right", no_wrap=True)
    for answer in answers:
        rows.add_row(*map(Text, _row(answer)))
    for line in dict.fromkeys(map(_source, answers)):
        console.print(line, markup=False)
    console.print(rows)


def _source(answer: Answer) -> str:
    document = answer.document
    level = percent(document["ellipse"]["confidence_level"])
    return f"{document['model']} version {document['model_version']}, ellipses at {level}"


def _row(answer: Answer) -> tuple[str, ...]:
    place, ellipse = answer.document["position"], answer.document["ellipse"]
    return (
        answer.name,
        f"{place['latitude']:.5f}",
        f"{place['longitude']:.5f}",
        f"{metres(ellipse['semi_major_m'])} × {metres(ellipse['semi_minor_m'])}",
        f"{ellipse['orientation_deg']:.0f}°",
        metres(ellipse["cep50_m"]),
        metres(ellipse["r95_m"]),
        percent(round(answer.document["confidence"], 3)),
    )
