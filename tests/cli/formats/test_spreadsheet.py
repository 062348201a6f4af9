"""Predictions as CSV, read back by the csv module."""

import csv
import io

from cli.formats.answer import Answer
from cli.formats.spreadsheet import spreadsheet
from tests.cli.formats.answers import answer


def read(text: str) -> list[dict[str, str]]:
    """The rows."""
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_a_row_has_every_number_of_its_prediction_exactly() -> None:
    one = answer()
    (row,) = read(spreadsheet([one]))
    for part in ("position", "ellipse"):
        for name, value in one.document[part].items():
            assert float(row[name]) == value
    for name in ("sigma_x", "sigma_y", "rho", "theta"):
        assert float(row[name]) == one.document["uncertainty"][name]
    assert row["file"] == "one.npy"
    assert (row["model"], row["model_version"], row["_cache_hit"]) == ("localization", "3", "false")
    assert "geojson" not in row


def test_the_header_comes_first_and_once_and_lines_end_as_rfc_4180_says() -> None:
    lines = spreadsheet([answer("a"), answer("b")]).split("\r\n")
    assert lines[0].startswith("file,latitude,longitude,sigma_x,sigma_y,rho,theta,semi_major_m,semi_minor_m,")
    assert [line.partition(",")[0] for line in lines] == ["file", "a", "b", ""]


def test_names_with_commas_quotes_and_line_breaks_survive() -> None:
    name = 'a,"b"\nc.npy'
    assert read(spreadsheet([answer(name)]))[0]["file"] == name


def test_a_field_that_only_some_have_is_empty_for_the_others() -> None:
    with_id = answer("b")
    rows = read(spreadsheet([answer("a"), Answer("b", {**with_id.document, "sample_id": "s"})]))
    assert [row["sample_id"] for row in rows] == ["", "s"]
