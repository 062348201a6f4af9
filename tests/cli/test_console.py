"""Where commands print to."""

import pytest

from cli.console import output, table


def test_lines_are_never_cut_where_it_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console = output()
    rows = table(console)
    rows.add_column("a")
    rows.add_row("x" * 500)
    console.print(rows)
    assert "x" * 500 in capsys.readouterr().out.splitlines()[1]
