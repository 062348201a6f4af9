"""Remembered ways to handlers: the same handler, the same values, and nothing that a client could fill up."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from gateway.access.cors import setup_cors
from gateway.errors import NotFound
from gateway.keys import SERVICES
from gateway.serving import dispatch, server
from gateway.serving.dispatch import LONGEST, Dispatch
from tests.gateway.bare_server import Server, bare_application
from tests.gateway.serving.raw_http import Connection, connect, request


class Place:
    """A server of ours, a connection to it, and which requests walked the application's routes."""

    connection: Connection
    ways: dict[tuple[str, str], Any]

    def __init__(self) -> None:
        self.walked: list[str] = []
        self.app = bare_application()
        for method in ("GET", "PUT"):
            self.app.router.add_route(method, "/models/{model}", _tell)
        self.app.router.add_post("/models/{model}/versions/{version}/predict", _tell)
        self.app.router.add_get("/fails/{what}", _fail)

    def dispatch(
        self, app: web.Application, handle: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Dispatch:
        """Instead of the server's own: tells who walks."""

        async def walk(request: web.Request) -> web.StreamResponse:
            self.walked.append(f"{request.method} {request.rel_url.raw_path}")
            return await handle(request)

        made = Dispatch(app, walk)
        self.ways = made._ways
        return made

    async def ask(self, method: str, path: str, *headers: str, body: bytes = b"") -> tuple[int, Any]:
        """Status and document of an answer."""
        told = await self.connection.ask(request(method, path, *headers, body=body))
        return told.status, json.loads(told.body) if told.body else None


async def _tell(request: web.Request) -> web.Response:
    resource = request.match_info.route.resource
    assert resource is not None
    return web.json_response(
        {
            "method": request.method,
            "route": resource.canonical,
            "values": dict(request.match_info),
            "query": dict(request.query),
            "body": (await request.read()).decode(),
            "services": SERVICES in request.app,
        }
    )


async def _fail(request: web.Request) -> web.Response:
    raise NotFound(f"no {request.match_info['what']}")


@pytest.fixture
async def place(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    made = Place()
    monkeypatch.setattr(server, "Dispatch", made.dispatch)
    async with Server(made.app) as running:
        made.connection = await connect(running)
        yield made
        await made.connection.close()


async def test_a_remembered_way_gives_the_same_values_and_this_requests_own_query_and_body(
    place: Place,
) -> None:
    path = "/models/m/versions/3/predict"
    for number in range(3):
        status, told = await place.ask("POST", f"{path}?n={number}", body=b"body %d" % number)
        assert status == 200
        assert told == {
            "method": "POST",
            "route": "/models/{model}/versions/{version}/predict",
            "values": {"model": "m", "version": "3"},
            "query": {"n": str(number)},
            "body": f"body {number}",
            "services": True,
        }
    assert place.walked == [f"POST {path}"]


async def test_methods_and_paths_have_ways_of_their_own(place: Place) -> None:
    for _ in range(2):
        for method, model in (("GET", "a"), ("PUT", "a"), ("GET", "b")):
            _, told = await place.ask(method, f"/models/{model}")
            assert (told["method"], told["values"]) == (method, {"model": model})
    assert place.walked == ["GET /models/a", "PUT /models/a", "GET /models/b"]


async def test_no_such_path_and_no_such_method_are_not_remembered(place: Place) -> None:
    for _ in range(2):
        assert (await place.ask("GET", "/nowhere"))[0] == 404
        assert (await place.ask("DELETE", "/models/m"))[0] == 405
    assert place.walked == ["GET /nowhere", "DELETE /models/m"] * 2
    assert place.ways == {}
    assert (await place.ask("GET", "/models/m"))[0] == 200


async def test_an_error_of_the_handlers_is_told_each_time_and_its_way_remembered(place: Place) -> None:
    for _ in range(2):
        status, told = await place.ask("GET", "/fails/x")
        assert (status, told["detail"]) == (404, "no x")
    assert place.walked == ["GET /fails/x"]


async def test_a_client_that_waits_to_be_told_to_go_on_is_told(place: Place) -> None:
    """Also on a way that is remembered."""
    for _ in range(2):
        head = "PUT /models/m HTTP/1.1\r\nHost: gateway\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        told = await place.connection.ask(head.encode())
        assert told.line == "HTTP/1.1 100 Continue"
        told = await place.connection.ask(b"body")
        assert (told.status, json.loads(told.body)["body"]) == (200, "body")
        assert (await place.ask("PUT", "/models/m", body=b"now"))[1]["body"] == "now"
    assert (await place.ask("PUT", "/models/m", "Expect: wonders"))[0] == 417


async def test_a_bounded_number_is_remembered_and_the_oldest_make_room(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "REMEMBERED", 3)
    for number in range(5):
        assert (await place.ask("GET", f"/models/{number}"))[0] == 200
        assert len(place.ways) <= 3
    assert list(place.ways) == [("GET", f"/models/{number}") for number in (2, 3, 4)]
    assert (await place.ask("GET", "/models/0"))[1]["values"] == {"model": "0"}


async def test_very_long_paths_are_not_remembered(place: Place) -> None:
    fits = "/models/".ljust(LONGEST, "x")
    for path in (fits, fits + "x"):
        for _ in range(2):
            assert (await place.ask("GET", path))[1]["values"] == {"model": path.removeprefix("/models/")}
    assert place.walked == [f"GET {path}" for path in (fits, fits + "x", fits + "x")]
    assert list(place.ways) == [("GET", fits)]


@pytest.mark.parametrize(
    ("sent", "model"),
    [("a%20b", "a b"), ("%C3%A9", "é"), ("a%2Fb", "a/b"), ("%61", "a"), ("100%25", "100%"), ("a+b", "a+b")],
)
async def test_percent_encoded_names_are_decoded_the_same_way_each_time(
    place: Place, sent: str, model: str
) -> None:
    for _ in range(3):
        status, told = await place.ask("GET", f"/models/{sent}")
        assert (status, told["values"]) == (200, {"model": model})


async def test_a_preflight_is_answered_before_and_after_the_ways_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Place()
    setup_cors(made.app, ("*",))
    monkeypatch.setattr(server, "Dispatch", made.dispatch)
    asks = ("Origin: https://map.example", "Access-Control-Request-Method: GET")
    async with Server(made.app) as running:
        made.connection = await connect(running)
        for _ in range(2):
            assert (await made.ask("OPTIONS", "/models/m", *asks))[0] == 204
            assert (await made.ask("GET", "/models/m", asks[0]))[0] == 200
        await made.connection.close()
