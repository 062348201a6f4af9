"""Sockets that are bound before anybody can answer on them."""

import socket

import pytest

from gateway.serving.listeners import listen
from stack.part import LOOPBACK


def test_until_somebody_can_answer_a_client_is_refused_and_does_not_wait() -> None:
    (bound,) = listen(LOOPBACK, 0)
    with bound:
        with pytest.raises(ConnectionRefusedError), socket.create_connection(bound.getsockname(), timeout=5):
            pass
        bound.listen()
        with socket.create_connection(bound.getsockname(), timeout=5):
            pass


def test_a_port_that_somebody_listens_on_is_refused() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken, pytest.raises(OSError, match="in use"):
        listen(LOOPBACK, taken.getsockname()[1])
