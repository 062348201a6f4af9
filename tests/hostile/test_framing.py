"""Hostile HTTP: slow, endless, huge, ambiguous."""

import itertools
import json
import socket
import time
from collections.abc import Iterator

import pytest

from tests.hostile.client import ENDED_S, answers, flood
from tests.hostile.conftest import BODY_BYTES, ECHO, Target, refused

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
PIECES = 100_000
"""Of endless things: far more than anyone may have to take."""
FULL_S = 60.0
"""Short answers that nobody takes have filled what the kernel keeps of them, even on a busy machine."""
DEADLINE_S = 0.3
SLACK_S = 3.0


def drip(target: Target, data: bytes, pause_s: float = 0.05) -> bytes:
    """Send byte after byte until the gateway has had enough, soon; what it answered."""
    received = bytearray()
    end = time.monotonic() + ENDED_S
    with socket.create_connection((target.host, target.port), timeout=ENDED_S) as connection:
        connection.settimeout(pause_s)
        for byte in itertools.cycle(data):
            assert time.monotonic() < end, f"still taken after {ENDED_S:g} s"
            try:
                connection.sendall(bytes([byte]))
                piece = connection.recv(1 << 16)
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
            if not piece:
                break
            received += piece
    return bytes(received)


def test_a_head_that_never_ends_is_cut_off(target: Target) -> None:
    """Slow-loris: a byte now and then, for ever."""
    assert drip(target, b"GET / HTTP/1.1\r\nX-Long: ") == b""


def test_a_body_that_drips_is_a_408_at_its_deadline(target: Target) -> None:
    end = time.monotonic() + DEADLINE_S + SLACK_S
    timeout = f"X-Request-Timeout-Ms: {DEADLINE_S * 1e3:.0f}\r\n\r\n".encode()
    with socket.create_connection((target.host, target.port), timeout=ENDED_S) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000000\r\n" + timeout)
        connection.settimeout(0.05)
        received = b""
        while not received:
            assert time.monotonic() < end, f"no answer {SLACK_S:g} s after the deadline"
            connection.sendall(b"x")
            try:
                received = connection.recv(1 << 16)
            except TimeoutError:
                continue
    assert answers(received)[0].status == 408


def test_a_connection_that_sends_nothing_is_closed(target: Target) -> None:
    assert target.send(b"") == []


def test_a_client_that_does_not_take_its_answers_is_closed(target: Target) -> None:
    """It asks for a large document again and again and reads nothing."""
    with socket.create_connection((target.host, target.port), timeout=ENDED_S) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            flood(connection, itertools.repeat(request * 50))


def test_an_endless_chunked_body_is_refused_at_the_limit(target: Target) -> None:
    chunk = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        for _ in range(PIECES):
            sent += len(chunk)
            yield chunk

    answer, *rest = target.send(body())
    assert answer.status == 413
    assert refused(answer)
    assert rest == []


@pytest.mark.parametrize(
    "chunks",
    [
        b"-1\r\n",
        b"0x10\r\n",
        b"ffffffffffffffffff\r\n",
        b"g\r\n",
        b"1 \r\nab",
        b"\r\n",
        b"5;" + b"x" * 20_000,
    ],
    ids=["negative", "prefix", "huge", "letter", "space", "empty", "extension"],
)
def test_a_malformed_chunk_ends_the_connection(target: Target, chunks: bytes) -> None:
    found = target.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert all(400 <= answer.status < 500 for answer in found)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100_000,
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: x\r\n" % i for i in range(5000)),
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 5000,
    ],
    ids=["value", "path", "many", "same"],
)
def test_a_huge_head_is_a_4xx(target: Target, head: bytes) -> None:
    (answer,) = target.send(head + b"\r\n\r\n")
    assert answer.status in (400, 431)
    assert refused(answer)


def test_an_endless_head_is_a_4xx_or_closed(target: Target) -> None:
    def head() -> Iterator[bytes]:
        yield b"GET / HTTP/1.1\r\nHost: x\r\n"
        yield from itertools.repeat(b"X-Y: z\r\n" * 1000, PIECES)

    assert all(refused(answer) for answer in target.send(head()))


SMUGGLING = {
    "both lengths": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
    "both lengths, other order": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    "two lengths": b"Content-Length: 4\r\nContent-Length: 5\r\n",
    "the same length twice": b"Content-Length: 0\r\nContent-Length: 0\r\n",
    "a list of lengths": b"Content-Length: 4, 4\r\n",
    "a negative length": b"Content-Length: -1\r\n",
    "a signed length": b"Content-Length: +4\r\n",
    "a hexadecimal length": b"Content-Length: 0x4\r\n",
    "a length with an underscore": b"Content-Length: 1_0\r\n",
    "a length beyond all bounds": b"Content-Length: " + b"9" * 40 + b"\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "chunked not last": b"Transfer-Encoding: chunked, identity\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n",
    "a vertical tab before chunked": b"Transfer-Encoding: \x0bchunked\r\n",
    "space before the colon": b"Transfer-Encoding : chunked\r\n",
    "a folded line": b"X-A: b\r\n Transfer-Encoding: chunked\r\n",
    "a bare line feed": b"X-A: b\nTransfer-Encoding: chunked\r\n",
    "a bare carriage return": b"X-A: b\rTransfer-Encoding: chunked\r\n",
    "a NUL": b"X-A: b\x00c\r\n",
}
SMUGGLED = b"GET /startup HTTP/1.1\r\nHost: smuggled\r\n\r\n"


@pytest.mark.parametrize("lines", SMUGGLING.values(), ids=SMUGGLING)
def test_a_request_with_two_readings_is_refused_and_nothing_behind_it_is_read(
    target: Target, lines: bytes
) -> None:
    """A proxy may see the end elsewhere: what follows must not become a request."""
    found = target.send(b"POST /predict HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n0\r\n\r\n" + SMUGGLED)
    assert len(found) <= 1
    assert all(400 <= answer.status < 500 for answer in found)


@pytest.mark.parametrize(
    "first_line",
    [
        b"GET / HTTP/9.9",
        b"GE\x00T / HTTP/1.1",
        b"\x16\x03\x01\x02\x00",
        b"PRI * HTTP/2.0",
    ],
)
def test_what_is_no_http_1_request_is_refused(target: Target, first_line: bytes) -> None:
    found = target.send(first_line + b"\r\nHost: x\r\n\r\n")
    assert all(refused(answer) for answer in found)


def test_pipelined_requests_are_answered_in_order_and_each_once(target: Target) -> None:
    paths = ["/health", "/nothing-here", "/startup"] * 40
    requests = b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode() for path in paths)
    found = target.send(requests)
    assert len(found) == len(paths)
    missing = [json.loads(one.body)["instance"] for one in found if one.status == 404]
    assert missing == ["/nothing-here"] * 40
    assert [one.status for one in found[0::3]] == [200] * 40


def test_a_flood_of_pipelined_requests_is_not_kept_in_memory(target: Target) -> None:
    """Behind one that is being answered, without end: reading stops, memory does not grow."""
    before = target.peak_mib()
    request = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Padding: " + b"x" * 1000 + b"\r\n\r\n"
    slow = f"POST /models/{ECHO}/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n".encode()
    with socket.create_connection((target.host, target.port), timeout=1) as connection:
        connection.sendall(slow + b"12345")
        with pytest.raises((TimeoutError, BrokenPipeError, ConnectionResetError)):
            flood(connection, itertools.repeat(request), FULL_S)
    assert target.peak_mib() - before < 50


def test_announcing_a_huge_body_costs_nothing(target: Target) -> None:
    (answer,) = target.send(HEAD + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % (BODY_BYTES + 1))
    assert answer.status == 413
    assert refused(answer)


def test_many_half_open_requests_leave_room_for_others(target: Target) -> None:
    connections = []
    try:
        for _ in range(300):
            connection = socket.create_connection((target.host, target.port), timeout=ENDED_S)
            connections.append(connection)
            connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\nhalf")
        assert target.healthy()
    finally:
        for connection in connections:
            connection.close()
