"""Signals, carried out by a thread of their own."""

import os
import signal
import threading
from collections.abc import Callable, Mapping


def relay(actions: Mapping[signal.Signals, Callable[[], None]]) -> None:
    """Have each signal carried out; a later call for the same signal takes its place.

    A handler runs between two steps of the main thread, which may hold the very lock that an action needs. So
    handlers only write to a pipe, at whose other end a thread carries the actions out.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def carry_out() -> None:
        while number := os.read(reading, 1):
            actions[signal.Signals(number[0])]()

    def note(number: int, _frame: object) -> None:
        os.write(writing, bytes([number]))

    threading.Thread(target=carry_out, name="signals", daemon=True).start()
    for number in actions:
        signal.signal(number, note)
