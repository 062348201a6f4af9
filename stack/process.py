"""Processes in groups: start one, wait for it, stop all of it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from stack.part import Part

KILL = signal.SIGKILL
DEAD = "ZX"
TICK_S = 0.05
LEFTOVERS_S = 3.0


class StartFailed(Exception):
    """A part that did not become ready; the message ends with the last lines of its log."""


def start(part: Part, log: Path) -> subprocess.Popen[bytes]:
    """Start the part in a session, and so a process group, of its own; its output is added to `log`."""
    part.folder.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    added = {name: value for name, value in part.environment.items() if value is not None}
    inherited = {name: value for name, value in os.environ.items() if name not in part.environment}
    with log.open("ab") as output:
        return subprocess.Popen(
            part.command,
            env={**inherited, **added},
            cwd=part.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until_ready(part: Part, process: subprocess.Popen[bytes], log: Path) -> None:
    """Block until the part is ready.

    Raises:
        StartFailed: it ended, or was not ready in time; it is then stopped.
    """
    deadline = time.monotonic() + part.start_timeout_s
    while process.poll() is None:
        if part.ready is not None and part.ready():
            return
        if time.monotonic() > deadline:
            stop(process, part.stop_timeout_s)
            raise StartFailed(f"{part.name} was not ready in {part.start_timeout_s:g} s\n{tail(log)}")
        time.sleep(TICK_S)
    stop(process, 0)
    if part.ready is not None or process.returncode != 0:
        raise StartFailed(f"{part.name} ended with {ending(process.returncode)}\n{tail(log)}")


def stop(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """Stop the process and then whatever is left of its group; nothing of it runs when this returns.

    The leader alone gets SIGTERM, so that it can stop its own children in its own order.
    """
    if process.poll() is None:
        process.terminate()
        _wait(lambda: process.poll() is not None, patience_s)
        if process.poll() is None:
            process.kill()
            process.wait()
    end_group(process.pid, LEFTOVERS_S)


def end_group(group: int, patience_s: float) -> None:
    """Wait until a group without a leader has ended by itself; after `patience_s`, kill it."""
    if not _wait(lambda: not members(group), patience_s):
        signal_group(group, KILL)
        _wait(lambda: not members(group), LEFTOVERS_S)


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to every process of the group that is still there."""
    for pid in members(group):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def members(group: int) -> list[int]:
    """Process ids of the group, without the dead whom nobody has reaped yet."""
    return [pid for pid, state, _, its_group in _all() if its_group == group and state not in DEAD]


def dead_children(parent: int) -> list[int]:
    """Process ids of children that are dead and whom their parent has not reaped."""
    return [pid for pid, state, its_parent, _ in _all() if its_parent == parent and state in DEAD]


def _all() -> Iterator[tuple[int, str, int, int]]:
    """Every process's id, state, parent and group."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                # pid (command) state parent group …; the command may hold spaces and parentheses.
                state, parent, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except (OSError, ValueError):
                continue
            yield int(entry.name), state, int(parent), int(group)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, indented."""
    try:
        text = log.read_bytes()[-16_384:].decode(errors="replace")
    except FileNotFoundError:
        return "    (no log)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def ending(returncode: int) -> str:
    """`status 1`, or `signal SIGKILL`."""
    if returncode >= 0:
        return f"status {returncode}"
    return f"signal {signal.Signals(-returncode).name}"


def _wait(condition: Callable[[], bool], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(TICK_S)
    return True
