"""Requests as bytes and answers from bytes."""

import pytest

from cli.load import message
from cli.load.message import Address, Answer, MalformedAnswer, read_answer

ANSWER = b"HTTP/1.1 200 OK\r\nX-Cache: hit\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h:80/a?b=c", Address("h", 80, "/a?b=c", tls=False)),
        ("https://h", Address("h", 443, "/", tls=True)),
        ("http://[::1]:9/p", Address("::1", 9, "/p", tls=False)),
    ],
)
def test_a_url_is_an_address(url: str, expected: Address) -> None:
    assert message.address(url) == expected


@pytest.mark.parametrize("url", ["ftp://h/", "h:80", "http:///x"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not an http or https URL"):
        message.address(url)


def test_a_request_carries_its_length_and_headers() -> None:
    request = message.post("http://h:1/p?q=1", b"abc", {"Content-Type": "x/y"})
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.splitlines() == [
        b"POST /p?q=1 HTTP/1.1",
        b"Host: h:1",
        b"Content-Length: 3",
        b"Content-Type: x/y",
    ]
    assert body == b"abc"


def test_an_answer_is_read_when_all_of_it_is_there() -> None:
    for cut in range(len(ANSWER)):
        assert read_answer(ANSWER[:cut]) is None
    found = read_answer(ANSWER + b"HTTP/1.1 2")
    assert found is not None
    answer, length = found
    assert (answer.status, answer.body, length) == (200, b"{}", len(ANSWER))
    assert b"X-Cache: hit" in answer.head
    assert answer.ok


def test_an_answer_without_a_body_needs_no_length() -> None:
    assert read_answer(b"HTTP/1.1 204 No Content\r\n\r\n") == (
        Answer(204, b"HTTP/1.1 204 No Content\r\n", b""),
        27,
    )


@pytest.mark.parametrize(
    "received",
    [
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_what_cannot_be_read_is_an_error(received: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        read_answer(received)
