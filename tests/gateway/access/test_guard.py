"""Who is let in, over real HTTP, through everything that stands before a handler."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from gateway.access.key_file import Scope
from gateway.app import HEIMDALL, ROUTES
from gateway.config import Config
from tests.gateway.access.conftest import ADMINISTER, HOLD, Gate, Keys, StartGate
from tests.gateway.conftest import changed

READ, PREDICT = ("GET", "/models"), ("POST", "/predict")
PASSED = {READ: 200, PREDICT: 400, ("POST", ADMINISTER): 200}
"""A request of each scope, and its status when it gets through; a prediction without a body fails later."""
_WARNS = "LISTENING ON 0.0.0.0 WITHOUT API KEYS"


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that is logged."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def bearer(key: str) -> dict[str, str]:
    """The header for a key."""
    return {"Authorization": f"Bearer {key}"}


async def detail(gate: Gate, method: str, path: str, headers: dict[str, str]) -> str:
    """Why a request was refused."""
    async with gate.client.request(method, path, headers=headers) as response:
        return str((await response.json(content_type=None))["detail"])


CONSOLE = {"/console", "/console/files/{file}", "/console/settings"}
"""The page, which asks for a key itself."""


def test_only_these_paths_are_open() -> None:
    """A route that is added must say who may call it; this is the list of those that all may."""
    opened = {path for _, path, _, scope in ROUTES if scope is None}
    assert opened - {"/openapi.json", "/docs"} - CONSOLE == {"/", "/health", "/ready", "/startup"}
    assert all(scope is Scope.PREDICT for _, path, _, scope in ROUTES if "predict" in path)


async def test_without_keys_on_loopback_everything_is_open(start_gate: StartGate, alone: Config) -> None:
    gate = await start_gate(alone)
    for (method, path), status in PASSED.items():
        assert await gate.status(method, path) == status
        assert await gate.status(method, path, headers=bearer("anything")) == status


@pytest.mark.parametrize("scope", Scope)
async def test_a_key_opens_what_its_scope_says_and_nothing_else(
    scope: Scope, start_gate: StartGate, with_keys: Config, keys: Keys
) -> None:
    gate = await start_gate(with_keys)
    needs = dict(zip(PASSED, (Scope.READ, Scope.PREDICT, Scope.ADMIN), strict=True))
    for (method, path), needed in needs.items():
        for headers in (bearer(keys.known[scope]), {"X-API-Key": keys.known[scope]}):
            got = await gate.status(method, path, headers=headers)
            assert got == (PASSED[method, path] if needed is scope else 403)
        if needed is not scope:
            told = await detail(gate, method, path, headers)
            assert told == f"this needs the scope {needed}; the API key {scope} has {scope}"


async def test_who_asks_is_the_name_of_the_key_or_without_keys_the_address(
    start_gate: StartGate, with_keys: Config, alone: Config, keys: Keys
) -> None:
    """What a command's entry in the journal says."""
    for config, name in ((with_keys, "key admin"), (alone, "127.0.0.1")):
        gate = await start_gate(config)
        async with gate.client.post(ADMINISTER, headers=bearer(keys.known["admin"])) as response:
            assert await response.text() == f"gateway, for {name}"


async def test_a_key_may_have_several_scopes(start_gate: StartGate, with_keys: Config, keys: Keys) -> None:
    both = bearer(keys.add("both", Scope.READ, Scope.PREDICT))
    gate = await start_gate(with_keys)
    assert [await gate.status(*request, headers=both) for request in PASSED] == [200, 400, 403]


async def test_without_a_key_only_open_paths_answer(start_gate: StartGate, with_keys: Config) -> None:
    gate = await start_gate(with_keys)
    for method, path in (*PASSED, ("HEAD", "/models"), ("GET", f"{HEIMDALL}/models"), ("GET", "/metrics")):
        async with gate.client.request(method, path) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="fixgate"'
            assert response.headers["X-Request-Id"]
    assert "Authorization: Bearer KEY" in await detail(gate, "GET", "/models", {})
    for path, status in (("/", 200), ("/health", 200), ("/ready", 503), ("/none", 404)):
        assert await gate.status("GET", path) == status
    assert await gate.status("PUT", "/health") == 405


async def test_what_is_not_a_key_of_ours_is_refused(
    start_gate: StartGate, with_keys: Config, keys: Keys
) -> None:
    gate = await start_gate(with_keys)
    good = keys.known["read"]
    last = "A" if good[-1] != "A" else "B"
    for wrong in (good[:-1] + last, good[:-1], good + "x", good.upper(), good[8:], "x", "ключ", "x" * 7000):
        for headers in (bearer(wrong), {"X-API-Key": wrong}):
            assert await gate.status("GET", "/models", headers=headers) == 401
    for odd in ("Basic dXNlcjpwYXNz", "Bearer", "Bearer ", good, ""):
        assert await gate.status("GET", "/models", headers={"Authorization": odd}) == 401
    assert await gate.status("GET", f"/models?api_key={good}") == 401


async def test_bytes_that_are_no_text_are_refused(start_gate: StartGate, with_keys: Config) -> None:
    gate = await start_gate(with_keys)
    base = gate.client._base_url
    assert base is not None
    reader, writer = await asyncio.open_connection(base.host, base.port)
    writer.write(b"GET /models HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: \xff\xfe\x80\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 401 ")
    assert b"not known here" in body


async def test_a_key_may_come_twice_but_two_keys_may_not(
    start_gate: StartGate, with_keys: Config, keys: Keys
) -> None:
    gate = await start_gate(with_keys)
    read, predict = keys.known["read"], keys.known["predict"]
    assert await gate.status("GET", "/models", headers={**bearer(read), "X-API-Key": read}) == 200
    assert await gate.status("GET", "/models", headers={"authorization": f"bearer  {read} "}) == 200
    proxy = {"Authorization": "Basic dXNlcjpwYXNz", "X-API-Key": read}
    assert await gate.status("GET", "/models", headers=proxy) == 200
    two = {**bearer(read), "X-API-Key": predict}
    assert await gate.status("GET", "/models", headers=two) == 400
    assert "two different API keys" in await detail(gate, "GET", "/models", two)


async def test_no_key_is_ever_repeated(
    start_gate: StartGate, with_keys: Config, keys: Keys, logged: pytest.LogCaptureFixture
) -> None:
    """Neither good nor wrong keys, nor their hashes, appear in answers, logs or metrics."""
    gate = await start_gate(with_keys)
    read = keys.known["read"]
    wrong = f"{read[:-4]}oooo"
    answers = []
    for headers in (bearer(read), bearer(wrong), {**bearer(read), "X-API-Key": wrong}):
        for path in ("/models", "/metrics", "/predict"):
            async with gate.client.get(path, headers=headers) as response:
                answers.append(await response.text() + str(response.headers))
    assert len(answers) == 9
    secret = read.split("_", 2)[2][:-4]
    digests = [line.split('"digest":"')[1][:64] for line in keys.file.read_text().splitlines()]
    for text in (*answers, logged.text):
        assert secret not in text
        assert not any(digest in text for digest in digests)


async def test_the_file_is_followed(start_gate: StartGate, with_keys: Config, keys: Keys) -> None:
    gate = await start_gate(with_keys)
    late = bearer(keys.add("late", Scope.READ))
    assert await gate.status("GET", "/models", headers=late) == 401
    gate.clock.now += 1
    assert await gate.status("GET", "/models", headers=late) == 200
    lines = keys.file.read_text().splitlines(keepends=True)
    keys.file.write_text("".join(line for line in lines if '"late"' not in line))
    gate.clock.now += 1
    assert await gate.status("GET", "/models", headers=late) == 401


async def test_a_broken_file_changes_nothing_and_is_reported(
    start_gate: StartGate, with_keys: Config, keys: Keys, logged: pytest.LogCaptureFixture
) -> None:
    gate = await start_gate(with_keys)
    whole = keys.file.read_bytes()
    read = bearer(keys.known["read"])

    async def metrics() -> str:
        async with gate.client.get("/metrics", headers=read) as response:
            assert response.status == 200
            return await response.text()

    assert "fixgate_api_keys 3.0\nfixgate_api_keys_stale 0.0" in _values(await metrics())
    for broken in (whole + b'{"key_id": 7}\n', None):
        keys.file.write_bytes(broken) if broken else keys.file.unlink()
        gate.clock.now += 1
        assert "fixgate_api_keys 3.0\nfixgate_api_keys_stale 1.0" in _values(await metrics())
    assert [record.levelname for record in logged.records if "API keys" in record.message] == ["ERROR"] * 2
    assert f"{keys.file}: line 4: Expected `str`, got `int` - at `$.key_id`" in logged.text
    keys.file.write_bytes(whole)
    gate.clock.now += 1
    assert "fixgate_api_keys_stale 0.0" in await metrics()


def _values(exposition: str) -> str:
    return "\n".join(line for line in exposition.splitlines() if not line.startswith("#"))


async def test_over_the_rate_is_refused_until_time_has_passed(
    start_gate: StartGate, with_keys: Config, keys: Keys
) -> None:
    gate = await start_gate(changed(with_keys, rate_limit="2/minute"))
    read, other = bearer(keys.known["read"]), bearer(keys.add("other", Scope.READ))
    gate.clock.now += 1
    assert [await gate.status("GET", "/models", headers=read) for _ in range(3)] == [200, 200, 429]
    gate.clock.now += 9.5
    async with gate.client.get("/models", headers=read) as response:
        assert response.headers["Retry-After"] == "21"
        assert (await response.json(content_type=None))["error"] == "too_many_requests"
    assert await gate.status("GET", "/models", headers=other) == 200
    assert [await gate.status("GET", "/health", headers=read) for _ in range(3)] == [200] * 3
    gate.clock.now += 21
    assert [await gate.status("GET", "/models", headers=read) for _ in range(2)] == [200, 429]


async def test_without_keys_the_rate_is_an_addresss(start_gate: StartGate, alone: Config) -> None:
    gate = await start_gate(changed(alone, rate_limit="1/hour"))
    assert await gate.status("GET", "/models", headers={"X-Forwarded-For": "192.0.2.1"}) == 200
    assert await gate.status("GET", "/models", headers={"X-Forwarded-For": "192.0.2.2"}) == 429


async def test_what_exceeds_the_concurrency_is_turned_away(start_gate: StartGate, alone: Config) -> None:
    gate = await start_gate(changed(alone, max_concurrent_requests=1))
    held = asyncio.create_task(gate.status("GET", HOLD))
    await gate.held.wait()
    async with gate.client.get("/models") as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert "1 requests are being answered" in (await response.json(content_type=None))["detail"]
    assert await gate.status("GET", "/health") == 200
    gate.release.set()
    assert await held == 200
    assert await gate.status("GET", "/models") == 200


async def test_beyond_loopback_without_keys_nobody_administers(
    start_gate: StartGate, alone: Config, logged: pytest.LogCaptureFixture
) -> None:
    gate = await start_gate(changed(alone, host="0.0.0.0"))  # noqa: S104 - only told so; it listens on loopback
    assert [record.levelname for record in logged.records if _WARNS in record.message] == ["WARNING"]
    assert [await gate.status(*request) for request in PASSED] == [200, 400, 403]
    told = await detail(gate, "POST", ADMINISTER, {})
    assert "fixgate keys add NAME --scope admin" in told
    assert "FIXGATE_API_KEYS_FILE" in told


async def test_beyond_loopback_with_keys_administrators_do(
    start_gate: StartGate, with_keys: Config, keys: Keys, logged: pytest.LogCaptureFixture
) -> None:
    gate = await start_gate(changed(with_keys, host="0.0.0.0"))  # noqa: S104 - as above
    assert _WARNS not in logged.text
    assert await gate.status("POST", ADMINISTER, headers=bearer(keys.known["admin"])) == 200


async def test_pages_from_elsewhere_do_not_administer_through_a_visitors_browser(
    start_gate: StartGate, alone: Config
) -> None:
    gate = await start_gate(changed(alone, cors_origins=("https://console.example", "*")))
    for origin, status in (
        ("http://127.0.0.1:8080", 200),
        ("http://localhost:3000", 200),
        ("https://console.example", 200),
        ("https://evil.example", 403),
        ("http://127.0.0.1.evil.example", 403),
        ("null", 403),
        ("http://[", 403),
    ):
        assert await gate.status("POST", ADMINISTER, headers={"Origin": origin}) == status, origin
