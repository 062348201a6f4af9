"""A child that died unnoticed: its parent lives on, calls itself ready, and no longer does its work."""

import time
from collections.abc import Callable

from stack import process

UNNOTICED_S = 2.0
"""Longer than any parent takes to look after a child that it has itself ended."""


class DeadChild:
    """Finds a child that has been dead for `UNNOTICED_S` without its parent's having asked how it ended.

    Triton 24.10 leaves those so in which its Python backend runs models: it goes on reporting their versions
    as ready, and fails every call to them until it is started again. What does not load leaves none behind.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, float] = {}

    def __call__(self, pid: int) -> str:
        """What is wrong with the process; nothing: "". Blocks for a moment."""
        now = self._clock()
        self._seen = {child: self._seen.get(child, now) for child in process.dead_children(pid)}
        found = [child for child, since in self._seen.items() if now - since >= UNNOTICED_S]
        return f"has lost its child process {found[0]} and does not notice" if found else ""
