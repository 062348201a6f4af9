"""The sockets on which the gateway listens, opened before anything else and handed down to workers."""

import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Any

BACKLOG = 1024

Listen = Callable[[], Sequence[socket.socket]]
"""Gives listening sockets."""


def listen(host: str, port: int) -> list[socket.socket]:
    """One listening socket for each address that the name stands for.

    Raises:
        OSError: none of them, or one of them not, can be listened on.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with contextlib.ExitStack() as opened:
        sockets = [
            opened.enter_context(_listening(family, address))
            for family, address in dict.fromkeys((family, address) for family, *_, address in found)
        ]
        opened.pop_all()
    return sockets


def adopt(descriptors: Sequence[int]) -> list[socket.socket]:
    """Those that a parent handed down."""
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def _listening(family: int, address: Any) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened
