"""What `fixgate up` shows: one table that changes on a terminal, plain lines everywhere else."""

import time
from collections.abc import Mapping
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stack.supervisor import Event, State

STYLES = {
    State.WAITING: "dim",
    State.STARTING: "yellow",
    State.READY: "green",
    State.DONE: "green",
    State.DIED: "bold red",
    State.GIVEN_UP: "bold red",
    State.STOPPING: "yellow",
    State.STOPPED: "dim",
}


class Screen(Protocol):
    """Shows the parts' states. Used as a context manager."""

    def tell(self, event: Event) -> None:
        """A part has changed its state."""

    def note(self, text: str) -> None:
        """What the stack as a whole is doing, in a line."""

    def say(self, text: str, style: str = "") -> None:
        """Something to keep on the screen, as it is."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(self, *_: object) -> None:
        """Leave the last state on the screen."""


def screen(console: Console, addresses: Mapping[str, str]) -> Screen:
    """The screen that suits the console. `addresses`: part to where it is, in order."""
    if console.is_terminal:
        return LiveTable(console, addresses)
    return Lines(console, addresses)


class Lines:
    """A line for each event."""

    def __init__(self, console: Console, addresses: Mapping[str, str]) -> None:
        self._console = console
        self._addresses = addresses
        self._started = time.monotonic()
        self._note = ""

    def tell(self, event: Event) -> None:
        """A line, and the log of what has died; waiting is not worth one."""
        if event.state is State.WAITING:
            return
        where = f" at {self._addresses[event.part]}" if event.state is State.READY else ""
        detail = f" ({event.detail})" if event.detail else ""
        self._line(f"{event.part:8} {event.state}{where}{detail}")
        if event.log:
            self.say(event.log)

    def note(self, text: str) -> None:
        """A line, if it is another than the last one."""
        if text != self._note:
            self._note = text
            self._line(text)

    def say(self, text: str, style: str = "") -> None:
        """Print as it is."""
        self._console.print(Text(text, style), soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def _line(self, text: str) -> None:
        self.say(f"{time.monotonic() - self._started:6.1f} s  {text}")


class LiveTable:
    """A table that is drawn anew; what is said scrolls away above it."""

    def __init__(self, console: Console, addresses: Mapping[str, str]) -> None:
        self._console = console
        self._addresses = addresses
        self._events = {name: Event(name, State.WAITING) for name in addresses}
        self._note = Text("")
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4)

    def tell(self, event: Event) -> None:
        """Change the part's row; the log of what has died goes above the table."""
        self._events[event.part] = event
        if event.log:
            self.say(f"{event.part} {event.detail}", "bold red")
            self.say(event.log, "dim")

    def note(self, text: str) -> None:
        """The line below the table."""
        self._note = Text(text)

    def say(self, text: str, style: str = "") -> None:
        """Print above the table."""
        self._console.print(Text(text, style), soft_wrap=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _draw(self) -> Group:
        table = Table(box=None, pad_edge=False, show_header=False)
        for _ in ("part", "state", "where", "detail"):
            table.add_column(no_wrap=True, overflow="ellipsis")
        for name, event in self._events.items():
            state = Text(event.state, STYLES[event.state])
            table.add_row(Text(name, "bold"), state, Text(self._addresses[name]), Text(event.detail, "dim"))
        return Group(table, self._note)
