"""A client that sends whatever bytes it is given and reads every answer."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

END = b"\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """One answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def exchange(
    address: tuple[str, int], data: bytes | Iterable[bytes], *, within_s: float = 60, close: bool = False
) -> list[Answer]:
    """Send all pieces, as far as the other side takes them; then read until it closes.

    Raises:
        TimeoutError: it neither took nor sent anything for `within_s`.
    """
    with socket.create_connection(address, timeout=within_s) as connection:
        received = bytearray()
        try:
            for piece in chain([data] if isinstance(data, bytes) else data):
                connection.sendall(piece)
            if close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            while piece := connection.recv(1 << 16):
                received += piece
        except ConnectionResetError:
            pass
    return answers(bytes(received))


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
