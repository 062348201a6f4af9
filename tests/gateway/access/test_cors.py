"""Requests from browsers' pages, over real HTTP."""

import pytest
from multidict import CIMultiDictProxy

from gateway.config import Config
from tests.gateway.conftest import Gateway, StartGateway, changed

MAP = "https://map.example"
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


async def ask(gateway: Gateway, method: str, path: str, **headers: str) -> tuple[int, CIMultiDictProxy[str]]:
    """Status and headers of an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with gateway.client.request(method, path, headers=named) as response:
        return response.status, response.headers


@pytest.fixture
async def mapped(start_gateway: StartGateway, alone: Config) -> Gateway:
    """A gateway that pages of two origins may call."""
    return await start_gateway(changed(alone, cors_origins=(MAP, "http://localhost:3000")))


async def test_a_preflight_of_an_allowed_page_says_what_it_may_send(mapped: Gateway) -> None:
    for origin in (MAP, "http://localhost:3000"):
        for prefix in ("", "/api/v1/inference"):
            status, headers = await ask(mapped, "OPTIONS", f"{prefix}/predict", Origin=origin, **ASKS)
            assert status == 204
            assert headers["Access-Control-Allow-Origin"] == origin
            assert headers["Access-Control-Allow-Methods"] == "POST"
            assert headers["Vary"] == "Origin"
            allowed = headers["Access-Control-Allow-Headers"].lower().split(", ")
            assert {"authorization", "x-api-key", "content-type", "x-model-version"} <= set(allowed)
            assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize("origin", ["https://evil.example", "https://map.example.evil.example", "null", ""])
async def test_a_preflight_of_any_other_page_is_refused(mapped: Gateway, origin: str) -> None:
    status, headers = await ask(mapped, "OPTIONS", "/predict", Origin=origin, **ASKS)
    assert status == 403
    assert not [name for name in headers if name.startswith("Access-Control")]
    assert headers["Vary"] == "Origin"


async def test_answers_can_be_read_with_their_headers_by_allowed_pages_only(mapped: Gateway) -> None:
    """Errors too, so that a page can say what went wrong."""
    for method, path, wanted in (
        ("GET", "/models", 200),
        ("GET", "/none", 404),
        ("GET", "/predict", 405),
        ("POST", "/predict", 400),
    ):
        status, headers = await ask(mapped, method, path, Origin=MAP)
        assert (status, headers["Access-Control-Allow-Origin"]) == (wanted, MAP)
        exposed = headers["Access-Control-Expose-Headers"].split(", ")
        assert {"X-Request-Id", "X-Model-Version", "X-Cache", "Server-Timing", "Retry-After"} <= set(exposed)
        status, headers = await ask(mapped, method, path, Origin="https://evil.example")
        assert status == wanted
        assert not [name for name in headers if name.startswith("Access-Control")]
    _, headers = await ask(mapped, "GET", "/models")
    assert headers["Vary"] == "Origin"


async def test_other_options_requests_are_not_preflights(mapped: Gateway) -> None:
    assert (await ask(mapped, "OPTIONS", "/predict", Origin=MAP))[0] == 405
    assert (await ask(mapped, "OPTIONS", "/none", Origin=MAP, **ASKS))[0] == 404


async def test_a_star_allows_all_pages(start_gateway: StartGateway, alone: Config) -> None:
    gateway = await start_gateway(changed(alone, cors_origins=("*",)))
    status, headers = await ask(gateway, "OPTIONS", "/predict", Origin="null", **ASKS)
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, "*")
    _, headers = await ask(gateway, "GET", "/models", Origin="https://anything.example")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in headers


async def test_by_default_no_page_is_let_in(start_gateway: StartGateway, alone: Config) -> None:
    gateway = await start_gateway(alone)
    assert (await ask(gateway, "OPTIONS", "/predict", Origin=MAP, **ASKS))[0] == 405
    _, headers = await ask(gateway, "GET", "/models", Origin=MAP)
    assert not [name for name in headers if name.startswith("Access-Control")]


async def test_a_preflight_needs_no_key(start_gateway: StartGateway, alone: Config) -> None:
    (alone.home / "keys").touch()
    gateway = await start_gateway(changed(alone, cors_origins=(MAP,), api_keys_file=alone.home / "keys"))
    assert (await ask(gateway, "OPTIONS", "/predict", Origin=MAP, **ASKS))[0] == 204
    status, headers = await ask(gateway, "POST", "/predict", Origin=MAP)
    assert (status, headers["Access-Control-Allow-Origin"]) == (401, MAP)
