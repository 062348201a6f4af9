"""Around every handler, on a bare application."""

import json
import logging
import uuid
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from prometheus_client import generate_latest

from gateway import errors
from gateway.keys import REQUEST_ID, SERVICES
from tests.gateway.bare_server import Server, bare_application

RAISED: dict[str, Exception] = {
    "input": errors.InvalidInput("must be a number", field="x"),
    "rate": errors.TooManyRequests("too fast", retry_after_s=2.2),
    "unavailable": errors.Unavailable("not ready"),
    "key": errors.Unauthorized("no key"),
    "fault": ZeroDivisionError("secret"),
    "gone": web.HTTPGone(),
}


async def raises(request: web.Request) -> web.Response:
    raise RAISED[request.match_info["what"]]


async def moved(_: web.Request) -> web.Response:
    raise web.HTTPFound("/elsewhere")


async def told_id(request: web.Request) -> web.Response:
    return web.Response(text=request[REQUEST_ID])


@pytest.fixture
async def client() -> AsyncIterator[TestClient[Any, Any]]:
    app = bare_application()
    app.router.add_get("/raise/{what}", raises)
    app.router.add_get("/id", told_id)
    app.router.add_get("/moved", moved)
    async with TestClient(Server(app)) as client:
        yield client


async def test_every_answer_has_a_request_id(client: TestClient[Any, Any]) -> None:
    for path in ("/id", "/nowhere", "/raise/input", "/raise/fault"):
        async with client.get(path) as response:
            assert uuid.UUID(response.headers["X-Request-Id"]).version == 7


async def test_the_clients_own_id_is_kept(client: TestClient[Any, Any]) -> None:
    async with client.get("/id", headers={"X-Request-Id": "abc-1.2~3_:/+="}) as response:
        assert await response.text() == response.headers["X-Request-Id"] == "abc-1.2~3_:/+="


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", "a\tb", '{"a":1}'])
async def test_an_id_that_could_forge_a_log_line_is_replaced(
    client: TestClient[Any, Any], given: str
) -> None:
    async with client.get("/id", headers={"X-Request-Id": given}) as response:
        assert uuid.UUID(response.headers["X-Request-Id"]).version == 7


@pytest.mark.parametrize(
    ("what", "status", "headers"),
    [
        ("input", 400, {}),
        ("rate", 429, {"Retry-After": "3"}),
        ("unavailable", 503, {"Retry-After": "1"}),
        ("key", 401, {"WWW-Authenticate": 'Bearer realm="fixgate"'}),
    ],
)
async def test_our_errors_are_problems_with_their_headers(
    client: TestClient[Any, Any], what: str, status: int, headers: dict[str, str]
) -> None:
    async with client.get(f"/raise/{what}") as response:
        problem = json.loads(await response.read())
        assert (response.status, problem["status"]) == (status, status)
        assert response.content_type == "application/problem+json"
        assert headers.items() <= dict(response.headers).items()
    assert problem["instance"] == f"/raise/{what}"


async def test_a_fault_of_the_program_is_a_500_that_tells_nothing_and_is_logged(
    client: TestClient[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with client.get("/raise/fault") as response:
        text = await response.text()
        assert response.status == 500
    assert "secret" not in text
    assert "ZeroDivisionError: secret" in caplog.text
    assert json.loads(text)["request_id"] in caplog.text


async def test_unknown_paths_and_methods_are_problems(client: TestClient[Any, Any]) -> None:
    async with client.get("/nowhere") as response:
        assert (response.status, json.loads(await response.read())["error"]) == (404, "not_found")
    async with client.post("/id") as response:
        problem = json.loads(await response.read())
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
        assert problem["detail"] == "POST is not allowed here; allowed: GET, HEAD"
    async with client.get("/raise/gone") as response:
        assert (response.status, json.loads(await response.read())["error"]) == (410, "gone")


async def test_redirects_are_no_errors(client: TestClient[Any, Any]) -> None:
    async with client.get("/moved", allow_redirects=False) as response:
        assert response.status == 302


async def test_requests_are_counted_by_route_not_by_path(client: TestClient[Any, Any]) -> None:
    for path in ("/raise/input", "/raise/rate", "/nowhere/a", "/nowhere/b"):
        await client.get(path)
    services = cast(web.Application, client.app)[SERVICES]
    services.ledger.settle()
    lines = [
        line
        for line in generate_latest(services.metrics.registry).decode().splitlines()
        if line.startswith("fixgate_http_requests_total")
    ]
    assert sorted(lines) == [
        'fixgate_http_requests_total{method="GET",route="/raise/{what}",status="400"} 1.0',
        'fixgate_http_requests_total{method="GET",route="/raise/{what}",status="429"} 1.0',
        'fixgate_http_requests_total{method="GET",route="other",status="404"} 2.0',
    ]


async def test_being_asked_too_early_is_no_news(
    client: TestClient[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await client.get("/raise/unavailable")
    assert [record for record in caplog.records if record.name == "gateway.middleware"] == []
