"""Ports are checked before anything starts."""

import socket
from collections.abc import Iterator

import pytest

from stack.part import LOOPBACK, CannotStart
from stack.ports import Port, check
from tests.launch import free_ports


def port(number: int, what: str = "Redis", host: str = LOOPBACK) -> Port:
    name = what.upper()
    return Port(what, host, number, f"--{what.lower()}-port", f"FIXGATE_{name}_PORT")


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(1)
        yield listener.getsockname()[1]


def test_free_ports_pass() -> None:
    check([port(number) for number in free_ports(3)])


def test_a_taken_port_is_named_with_its_option_and_its_variable(taken: int) -> None:
    with pytest.raises(CannotStart) as error:
        check([port(taken, "Redis"), port(free_ports(1)[0], "MLflow")])
    assert str(error.value) == (
        f"port {taken} (Redis) is taken by another program: "
        "choose another with --redis-port or FIXGATE_REDIS_PORT"
    )


def test_every_port_that_is_wrong_is_named_at_once(taken: int) -> None:
    [twice] = free_ports(1)
    with pytest.raises(CannotStart) as error:
        check([port(taken, "Redis"), port(twice, "MLflow"), port(twice, "Triton")])
    lines = str(error.value).splitlines()
    assert [line.split(")")[0] for line in lines] == [
        f"port {taken} (Redis",
        f"port {twice} (MLflow",
        f"port {twice} (Triton",
    ]
    assert all("is given to more than one part" in line for line in lines[1:])


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(CannotStart, match=r"cannot be listened on at 192\.0\.2\.1"):
        check([port(free_ports(1)[0], host="192.0.2.1")])


def test_a_connection_that_lingers_does_not_count_as_taken() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, 0))
        listener.listen(1)
        number = listener.getsockname()[1]
        with socket.create_connection((LOOPBACK, number)) as client:
            server, _ = listener.accept()
            server.close()  # the server closes first, so that its end is the one that waits
            assert client.recv(1) == b""
    check([port(number)])
