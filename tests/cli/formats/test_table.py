"""Predictions as a table."""

import io

from rich.console import Console

from cli.formats.table import show
from tests.cli.formats.answers import answer


def shown(*names: str, **how: object) -> list[str]:
    """The lines."""
    text = io.StringIO()
    show([answer(name) for name in names], Console(file=text, **how))  # type: ignore[arg-type]
    return text.getvalue().splitlines()


def test_a_line_has_place_ellipse_radii_and_confidence() -> None:
    source, header, first, second = shown("a.npy", "b.npy", width=10_000)
    assert source == "localization version 3, ellipses at 90 %"
    assert header.split() == ["file", "latitude", "longitude", "ellipse", "bearing", "CEP50", "R95", "conf."]
    assert first.split("  ")[0] == "a.npy"
    assert first.split()[1:] == [
        "45.10000",
        "7.60000",
        "1.73",
        "km",
        "×",
        "836",
        "m",
        "7°",
        "693",
        "m",
        "1.63",
        "km",
        "73.4",
        "%",
    ]
    assert second.startswith("b.npy")


def test_it_fits_a_terminal_of_80_columns_whole() -> None:
    lines = shown("recording.npy", width=80, force_terminal=True, color_system=None)
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert any("73.4 %" in line for line in lines)


def test_a_name_is_no_markup() -> None:
    assert "[bold]x[/nonsense].npy" in shown("[bold]x[/nonsense].npy", width=200)[-1]
