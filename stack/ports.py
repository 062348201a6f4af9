"""The ports of the stack: whether each can be had, checked before anything is started."""

import errno
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from stack.part import CannotStart


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a part will listen on, and how the user chooses another."""

    what: str
    host: str
    number: int
    option: str
    variable: str


def check(ports: Sequence[Port]) -> None:
    """See that every port is free and named once.

    Raises:
        CannotStart: names each that is not, with its option and its environment variable.
    """
    times = Counter(port.number for port in ports)
    problems = [
        f"port {port.number} ({port.what}) {problem}: choose another with {port.option} or {port.variable}"
        for port in ports
        if (problem := "is given to more than one part" if times[port.number] > 1 else _problem(port))
    ]
    if problems:
        raise CannotStart("\n".join(problems))


def _problem(port: Port) -> str:
    """What keeps us from listening there, or nothing."""
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    with socket.socket(family) as trial:
        # As servers do: connections of the last run that linger must not count as taken.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((port.host, port.number))
            trial.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "is taken by another program"
            return f"cannot be listened on at {port.host} ({error.strerror or error})"
    return ""
