"""Children that died without their parent's noticing, of real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from stack import process
from stack.dead_child import UNNOTICED_S, DeadChild

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
for _ in sys.stdin:
    print(child.wait(), flush=True)
"""


class Clock:
    """Time, set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """A process with one child, whose process id it says; told a line, it looks after it."""
    command = [sys.executable, "-u", "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        yield running
        running.kill()


def line(parent: subprocess.Popen[str]) -> int:
    assert parent.stdout is not None
    return int(parent.stdout.readline())


def wait_until_dead(parent: int, child: int) -> None:
    while child not in process.dead_children(parent):
        os.kill(child, 0)  # raises as soon as it is no longer there


def test_a_dead_child_is_told_of_when_its_parent_has_not_noticed_for_a_while(
    parent: subprocess.Popen[str],
) -> None:
    clock = Clock()
    wrong = DeadChild(clock)
    child = line(parent)
    assert wrong(parent.pid) == ""
    os.kill(child, signal.SIGKILL)
    wait_until_dead(parent.pid, child)
    assert wrong(parent.pid) == ""
    clock.now += UNNOTICED_S / 2
    assert wrong(parent.pid) == ""
    clock.now += UNNOTICED_S / 2
    assert wrong(parent.pid) == f"has lost its child process {child} and does not notice"


def test_a_child_that_its_parent_looks_after_is_forgotten(parent: subprocess.Popen[str]) -> None:
    clock = Clock()
    wrong = DeadChild(clock)
    child = line(parent)
    os.kill(child, signal.SIGKILL)
    wait_until_dead(parent.pid, child)
    assert wrong(parent.pid) == ""
    assert parent.stdin is not None
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert line(parent) == -signal.SIGKILL
    clock.now += UNNOTICED_S
    assert wrong(parent.pid) == ""
