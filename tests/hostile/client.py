"""A client that sends whatever bytes it is given and reads every answer."""

import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

END = b"\r\n\r\n"
ENDED_S = 10.0
"""By then a connection has its answers and is closed, whatever it is sent, even on a busy machine. Here the
gateway closes after 1.5 s of silence, or after an early answer and 3 s of dropping what still comes."""


class StillOpen(AssertionError):
    """A connection that is neither answered nor closed in time."""


@dataclass(frozen=True)
class Answer:
    """One answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def exchange(
    address: tuple[str, int], data: bytes | Iterable[bytes], *, within_s: float = ENDED_S
) -> list[Answer]:
    """Send all pieces, as far as the other side takes them; then read until it closes.

    Raises:
        StillOpen: it did not close within `within_s` of the first word.
    """
    end = time.monotonic() + within_s
    received = bytearray()
    with socket.create_connection(address, timeout=within_s) as connection:
        try:
            _send(connection, data, end)
            while piece := _until(connection, end).recv(1 << 16):
                received += piece
        except ConnectionResetError:
            pass
        except TimeoutError:
            raise StillOpen(f"open after {within_s:g} s; so far {bytes(received[:500])!r}") from None
    return answers(bytes(received))


def flood(connection: socket.socket, pieces: Iterable[bytes], within_s: float = ENDED_S) -> None:
    """Send for ever, until the other side ends it; raises what that makes of the connection.

    Raises:
        StillOpen: it took everything for `within_s`.
    """
    end = time.monotonic() + within_s
    for piece in pieces:
        if time.monotonic() > end:
            raise StillOpen(f"all is still taken after {within_s:g} s")
        connection.sendall(piece)


def _send(connection: socket.socket, data: bytes | Iterable[bytes], end: float) -> None:
    try:
        for piece in chain([data] if isinstance(data, bytes) else data):
            _until(connection, end).sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass


def _until(connection: socket.socket, end: float) -> socket.socket:
    """The same, for what is to be over by then."""
    left_s = end - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    connection.settimeout(left_s)
    return connection


def answers(received: bytes) -> list[Answer]:
    """The answers that these bytes are, all with a Content-Length."""
    found = []
    while received:
        head, _, rest = received.partition(END)
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in lines)}
        length = int(headers.get("content-length", "0"))
        found.append(Answer(int(line.split()[1]), headers, rest[:length]))
        received = rest[length:]
    return found
