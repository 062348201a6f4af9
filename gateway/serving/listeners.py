"""The sockets on which the gateway listens, opened before anything else and handed down to workers.

They are bound here, and listened on by the first that can answer: until then a client is refused, and may ask
another gateway, instead of waiting.
"""

import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Any

BACKLOG = 1024

Listen = Callable[[], Sequence[socket.socket]]
"""Gives the sockets to listen on."""


def listen(host: str, port: int) -> list[socket.socket]:
    """One bound socket for each address that the name stands for.

    Raises:
        OSError: none of them, or one of them not, can be bound.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with contextlib.ExitStack() as opened:
        sockets = [
            opened.enter_context(_bound(family, address))
            for family, address in dict.fromkeys((family, address) for family, *_, address in found)
        ]
        opened.pop_all()
    return sockets


def adopt(descriptors: Sequence[int]) -> list[socket.socket]:
    """Those that a parent handed down."""
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def _bound(family: int, address: Any) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened
