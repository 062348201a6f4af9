"""Stops the stack's processes when `fixgate up` is gone without having stopped them (SIGKILL, out of memory).

`Guard` starts this file as a process in a session of its own and writes to it which process groups there are.
When the pipe closes, however that came about, the groups still on the list are stopped, last started first.
"""

import contextlib
import os
import signal
import subprocess
import sys
from typing import Self

from stack.process import end_group, signal_group

PATIENCE_S = 5.0


class Guard:
    """The pipe to the guarding process, which keeps the descriptors `inherit` open as long as it runs."""

    def __init__(self, inherit: tuple[int, ...] = ()) -> None:
        reading, self._pipe = os.pipe()
        command = [sys.executable, "-P", "-m", "stack.guard"]
        self._process = subprocess.Popen(command, stdin=reading, pass_fds=inherit, start_new_session=True)
        os.close(reading)

    def watch(self, group: int) -> None:
        """Stop this process group, should we die."""
        self._write(f"+{group}\n")

    def forget(self, group: int) -> None:
        """The group has ended."""
        self._write(f"-{group}\n")

    def close(self) -> None:
        """Let the guarding process do its work, if any is left, and end."""
        os.close(self._pipe)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # killed: then nobody guards, and nothing else is lost
            os.write(self._pipe, line.encode())


def main() -> None:
    """Read the list of groups until its writer is gone, then stop what is left of them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: list[int] = []
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.append(group)
        elif group in groups:
            groups.remove(group)
    for group in reversed(groups):
        signal_group(group, signal.SIGTERM)
        end_group(group, PATIENCE_S)


if __name__ == "__main__":
    main()
