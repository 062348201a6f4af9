"""Answers whose head and body leave in one piece, beside aiohttp's own, over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from email.utils import parsedate_to_datetime

import pytest
from aiohttp import web

from gateway.access.cors import setup_cors
from gateway.keys import SERVICES
from gateway.middleware import Handle
from gateway.serving.answer import Answer
from tests.gateway.bare_server import Server, bare_application
from tests.gateway.serving.raw_http import Connection, connect, request

BODY = '{"größe": 1}'.encode() * 1000
HEADERS = {"X-Cache": "hit", "Server-Timing": "read;dur=0.100, cache;dur=0.200"}
CASES = {"hit": BODY, "empty": b"", "large": b"x" * 3_000_000}


class Place:
    """A server with both kinds of answers at /ours/… and /theirs/…."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.app = bare_application()
        self.app.router.add_post("/ours/{case}", self._answering(Answer))
        self.app.router.add_post("/theirs/{case}", self._answering(web.Response))
        self._stack = AsyncExitStack()

    def _answering(self, kind: type[web.Response]) -> Handle:
        async def answer(asked: web.Request) -> web.Response:
            self.bodies.append(await asked.read())
            body = CASES.get(asked.match_info["case"]) or asked.match_info["case"].encode()
            if asked.match_info["case"] == "empty":
                body = b""
            return kind(body=body, headers=HEADERS, content_type="application/json")

        return answer

    async def start(self) -> None:
        self.server = Server(self.app)
        await self._stack.enter_async_context(self.server)

    async def dial(self) -> Connection:
        """A connection, closed at the end."""
        made = await connect(self.server)
        self._stack.push_async_callback(made.close)
        return made

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    yield made
    await made.close()


async def heads(
    place: Place, case: str, *headers: str, version: str = "1.1"
) -> list[tuple[str, dict[str, str]]]:
    """First lines and headers of ours and theirs, without what differs from answer to answer."""
    found = []
    for kind in ("ours", "theirs"):
        connection = await place.dial()
        told = await connection.ask(request("POST", f"/{kind}/{case}", *headers, version=version))
        assert told.body == CASES[case]
        assert len(told.headers) == len(set(map(str.lower, told.headers)))
        assert told.headers.pop("X-Request-Id")
        assert parsedate_to_datetime(told.headers.pop("Date")).tzinfo is not None
        found.append((told.line, dict(told.headers)))
    return found


@pytest.mark.parametrize("case", list(CASES))
async def test_the_head_is_the_one_that_aiohttp_gives(place: Place, case: str) -> None:
    await place.start()
    ours, theirs = await heads(place, case)
    assert ours == theirs
    line, headers = ours
    assert line == "HTTP/1.1 200 OK"
    assert headers.keys() == {"X-Cache", "Server-Timing", "Content-Type", "Content-Length", "Server"}
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(CASES[case]))


@pytest.mark.parametrize(
    ("version", "headers", "stays"),
    [
        ("1.1", [], True),
        ("1.1", ["Connection: close"], False),
        ("1.1", ["Connection: keep-alive"], True),
        ("1.0", [], False),
        ("1.0", ["Connection: keep-alive"], True),
    ],
)
async def test_a_connection_stays_exactly_when_it_would_with_aiohttps_answer(
    place: Place, version: str, headers: list[str], stays: bool
) -> None:
    await place.start()
    ours, theirs = await heads(place, "hit", *headers, version=version)
    assert ours == theirs
    connection = await place.dial()
    asked = request("POST", "/ours/hit", *headers, version=version)
    assert (await connection.ask(asked)).body == BODY
    if stays:
        assert (await connection.ask(asked)).body == BODY
    else:
        assert await connection.rest() == b""


async def test_pages_of_other_origins_get_their_headers(place: Place) -> None:
    setup_cors(place.app, ("https://map.example",))
    await place.start()
    for _ in range(2):
        ours, theirs = await heads(place, "hit", "Origin: https://map.example")
        assert ours == theirs
        assert ours[1]["Access-Control-Allow-Origin"] == "https://map.example"
        assert ours[1]["Vary"] == "Origin"
    ours, theirs = await heads(place, "hit", "Origin: https://evil.example")
    assert ours == theirs
    assert "Access-Control-Allow-Origin" not in ours[1]


async def test_a_gateway_that_drains_closes_after_its_answer(place: Place) -> None:
    await place.start()
    connection = await place.dial()
    assert (await connection.ask(request("POST", "/ours/hit"))).headers.get("Connection") is None
    place.app[SERVICES].readiness.draining = True
    ours, theirs = await heads(place, "hit")
    assert ours == theirs
    told = await connection.ask(request("POST", "/ours/hit"))
    assert (told.headers["Connection"], told.body) == ("close", BODY)
    assert await connection.rest() == b""


async def test_pipelined_requests_are_answered_in_order(place: Place) -> None:
    await place.start()
    connection = await place.dial()
    kinds = ("ours", "theirs", "ours", "ours")
    numbered = [request("POST", f"/{kind}/n{n}", body=b"b%d" % n) for n, kind in enumerate(kinds)]
    connection.send(b"".join(numbered))
    for number in range(len(kinds)):
        told = await connection.answer()
        assert (told.status, told.body) == (200, b"n%d" % number)
    assert place.bodies == [b"b0", b"b1", b"b2", b"b3"]
    connection.send(request("POST", "/ours/last", "Connection: close"))
    assert (await connection.answer()).body == b"last"
    assert await connection.rest() == b""


async def test_a_large_answer_is_whole_and_another_follows(place: Place) -> None:
    await place.start()
    connection = await place.dial()
    connection.send(request("POST", "/ours/large") + request("POST", "/ours/after"))
    assert (await connection.answer()).body == CASES["large"]
    assert (await connection.answer()).body == b"after"
