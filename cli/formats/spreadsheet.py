"""Predictions as CSV (RFC 4180), one line each."""

import csv
import io
from collections.abc import Sequence

from cli.formats.answer import Answer

PARTS = ("position", "uncertainty", "ellipse")


def spreadsheet(answers: Sequence[Answer]) -> str:
    """A header and a row per prediction; the document's objects side by side, GeoJSON left out."""
    rows = [_row(answer) for answer in answers]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(answer: Answer) -> dict[str, object]:
    row: dict[str, object] = {"file": answer.name}
    for part in PARTS:
        row |= answer.document[part]
    row.pop("confidence_interval")  # confidence_level again
    row |= {name: value for name, value in answer.document.items() if not isinstance(value, dict)}
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()}
