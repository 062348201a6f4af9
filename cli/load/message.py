"""HTTP/1.1 requests as bytes, and answers read from bytes (pure)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


class MalformedAnswer(ConnectionError):
    """What came is no answer that can be read here."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a URL leads to; `path` may hold a query."""

    host: str
    port: int
    path: str
    tls: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `head` is the status line with the headers, undecoded."""

    status: int
    head: bytes
    body: bytes

    @property
    def ok(self) -> bool:
        """A success, as HTTP has it."""
        return 200 <= self.status < 300


def address(url: str) -> Address:
    """The parts of an http or https URL.

    Raises:
        ValueError: any other.
    """
    split = urlsplit(url)
    if split.scheme not in {"http", "https"} or not split.hostname:
        raise ValueError(f"{url!r} is not an http or https URL")
    tls = split.scheme == "https"
    path = (split.path or "/") + (f"?{split.query}" if split.query else "")
    return Address(split.hostname, split.port or (443 if tls else 80), path, tls)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A POST of `body` over a connection that stays open.

    Raises:
        ValueError: not an http or https URL.
    """
    return _request("POST", url, headers, body)


def get(url: str, headers: Mapping[str, str]) -> bytes:
    """A GET over a connection that stays open.

    Raises:
        ValueError: not an http or https URL.
    """
    return _request("GET", url, headers, b"")


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    to = address(url)
    lines = [f"{method} {to.path} HTTP/1.1", f"Host: {to.host}:{to.port}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + _HEAD_END + body


def read_answer(received: bytes | bytearray) -> tuple[Answer, int] | None:
    """The answer that `received` begins with and how many bytes it took; None: more is needed.

    Raises:
        MalformedAnswer: not HTTP/1.1, or an answer without a Content-Length.
    """
    end = received.find(_HEAD_END)
    if end < 0:
        return None
    head = bytes(received[: end + 2])
    if not head.startswith(b"HTTP/1.") or not head[9:12].isdigit():
        raise MalformedAnswer(f"not HTTP: {head[:40]!r}")
    status = int(head[9:12])
    length = _LENGTH.search(head)
    if length is None and (_CHUNKED.search(head) or status not in {204, 304}):
        raise MalformedAnswer("the answer has no Content-Length")
    start = end + len(_HEAD_END)
    stop = start + (int(length[1]) if length else 0)
    if len(received) < stop:
        return None
    return Answer(status, head, bytes(received[start:stop])), stop
