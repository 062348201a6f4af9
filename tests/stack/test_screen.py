"""What `fixgate up` shows, on a terminal and elsewhere."""

import io

from rich.console import Console

from stack.screen import Lines, LiveTable, screen
from stack.supervisor import Event, State

ADDRESSES = {"redis": "redis://127.0.0.1:6380", "gateway": "http://127.0.0.1:8080"}
DEATH = Event("redis", State.DIED, "ended with signal SIGKILL; starting again in 1 s", "    [disk] full")


def shown(*, terminal: bool) -> str:
    """What is on the console after a part became ready and another died."""
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=100, color_system=None)
    with screen(console, ADDRESSES) as one:
        one.tell(Event("gateway", State.WAITING, "for redis"))
        one.tell(Event("gateway", State.READY, "2.0 s"))
        one.tell(DEATH)
        one.note("not ready: no catalogue")
        one.note("not ready: no catalogue")
        one.say("curl -H 'Content-Type: application/x-npy' " + "x" * 100)
    return output.getvalue()


def test_the_kind_of_screen_suits_the_console() -> None:
    assert isinstance(screen(Console(file=io.StringIO(), force_terminal=False), ADDRESSES), Lines)
    assert isinstance(screen(Console(file=io.StringIO(), force_terminal=True), ADDRESSES), LiveTable)


def test_lines_name_every_change_once() -> None:
    lines = [line.partition(" s  ")[2] or line for line in shown(terminal=False).splitlines()]
    assert lines == [
        "gateway  ready at http://127.0.0.1:8080 (2.0 s)",
        "redis    died (ended with signal SIGKILL; starting again in 1 s)",
        "    [disk] full",
        "not ready: no catalogue",
        "curl -H 'Content-Type: application/x-npy' " + "x" * 100,
    ]


def test_the_table_holds_every_part_and_what_died_stays_above_it() -> None:
    text = shown(terminal=True)
    assert "redis ended with signal SIGKILL" in text
    assert "    [disk] full" in text
    rows = text[text.rindex("redis  ") :].splitlines()
    assert rows[0].split()[:3] == ["redis", "died", "redis://127.0.0.1:6380"]
    assert rows[1].split()[:3] == ["gateway", "ready", "http://127.0.0.1:8080"]
    assert rows[2].strip() == "not ready: no catalogue"
