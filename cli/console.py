"""Where commands print to."""

from rich import box
from rich.console import Console
from rich.table import Table

_UNLIMITED = 10_000


def output() -> Console:
    """Standard output; without colours and without a limit to a line's length when it is no terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_UNLIMITED)


def table(console: Console) -> Table:
    """An empty table: with a rule on a terminal, in plain columns elsewhere."""
    if console.is_terminal:
        return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    return Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
