"""Predictions as a table."""

import io

from rich.console import Console

from cli.formats.table import show
from tests.cli.formats.answers import answer


def test_a_line_has_place_ellipse_radii_and_version() -> None:
    text = io.StringIO()
    show([answer("a.npy"), answer("b.npy")], Console(file=text, width=160))
    header, first, second = text.getvalue().splitlines()
    assert header.split() == [
        *(
            "file",
            "latitude",
            "longitude",
            "level",
            "ellipse",
            "bearing",
            "CEP50",
            "R95",
            "confidence",
            "version",
        )
    ]
    assert first.startswith("a.npy  45.100000°  7.600000°   90 %  1.73 km × 836 m ")
    assert first.rstrip().endswith("localization 3")
    assert second.startswith("b.npy")


def test_a_name_is_no_markup() -> None:
    text = io.StringIO()
    show([answer("[bold]x[/nonsense].npy")], Console(file=text, width=160))
    assert "[bold]x[/nonsense].npy" in text.getvalue()
