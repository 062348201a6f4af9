"""The console's page, files, settings and recordings, and its feed over real HTTP."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.access import key_file
from gateway.access.key_file import Scope
from gateway.config import Config
from gateway.handlers.console import content_security_policy
from gateway.handlers.static_files import names
from tests.gateway import stand
from tests.gateway.conftest import Gateway, StartGateway, changed
from tests.gateway.serving.raw_http import request

NPY = {"Content-Type": "application/x-npy"}


async def get(gateway: Gateway, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers, body."""
    async with gateway.client.get(path, headers=headers) as answer:
        return answer.status, answer.headers, await answer.read()


async def test_the_page_has_a_strict_policy_and_is_asked_for_anew_but_not_sent_again(
    start_gateway: StartGateway, alone: Config
) -> None:
    gateway = await start_gateway(alone)
    status, headers, body = await get(gateway, "/console")
    assert (status, headers["Cache-Control"]) == (200, "no-cache")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert b"<script>" not in body
    status, _, body = await get(gateway, "/console", **{"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")


async def test_its_files_are_kept_for_ever_and_others_cannot_be_had(
    start_gateway: StartGateway, alone: Config
) -> None:
    gateway = await start_gateway(alone)
    assert {one.rpartition(".")[2] for one in names()} >= {"html", "js", "css", "json"}
    for name in names() - {"index.html"}:
        status, headers, _ = await get(gateway, f"/console/files/{name}")
        assert (status, headers["X-Content-Type-Options"]) == (200, "nosniff"), name
        assert "immutable" in headers["Cache-Control"]
    for name in ("index.html", "nothing.js", "..%2F__init__.py", "%2e%2e", "static_files.py"):
        assert (await get(gateway, f"/console/files/{name}"))[0] == 404, name


async def test_settings_tell_what_this_caller_may(
    start_gateway: StartGateway, alone: Config, tmp_path: Path
) -> None:
    key, stored = key_file.make_key("reader", [Scope.READ])
    key_file.add(tmp_path / "keys", stored)
    config = changed(
        alone,
        api_keys_file=tmp_path / "keys",
        remember="off",
        console_tiles="https://t.example/{z}/{x}/{y}.png",
    )
    gateway = await start_gateway(config)
    told = json.loads((await get(gateway, "/console/settings"))[2])
    assert (told["keys"], told["scopes"], told["remember"]) == (True, [], False)
    assert told["tiles"] == {"url": "https://t.example/{z}/{x}/{y}.png", "credit": ""}
    told = json.loads((await get(gateway, "/console/settings", Authorization=f"Bearer {key}"))[2])
    assert told["scopes"] == ["read"]
    assert (await get(gateway, "/events", Authorization=f"Bearer {key}"))[0] == 404  # nothing is kept
    assert (await get(gateway, "/events"))[0] == 401


async def test_recordings_to_try_are_those_of_the_folder(
    start_gateway: StartGateway, alone: Config, tmp_path: Path
) -> None:
    assert (await get(await start_gateway(alone), "/console/samples"))[0] == 404
    (tmp_path / "a.npy").write_bytes(b"npy")
    gateway = await start_gateway(changed(alone, console_samples=tmp_path))
    assert json.loads((await get(gateway, "/console/samples"))[2]) == {
        "samples": [{"name": "a.npy", "bytes": 3}]
    }
    assert (await get(gateway, "/console/samples/a.npy"))[2] == b"npy"
    assert (await get(gateway, "/console/samples/b.npy"))[0] == 404


@pytest.mark.parametrize(
    ("path", "headers", "field"),
    [
        ("/events?confidence_level=1", {}, "confidence_level"),
        ("/events?confidence_level=x", {}, "confidence_level"),
        ("/events?limit=0", {}, "limit"),
        ("/events?limit=2001", {}, "limit"),
        ("/events", {"Last-Event-ID": "x"}, "Last-Event-ID"),
    ],
)
async def test_a_feed_that_makes_no_sense_is_refused_by_field(
    start_gateway: StartGateway, alone: Config, path: str, headers: dict[str, str], field: str
) -> None:
    status, _, body = await get(await start_gateway(alone), path, **headers)
    assert (status, json.loads(body)["field"]) == (400, field)


async def test_predictions_are_fed_live_and_counted_in_the_history(gateway: Gateway) -> None:
    body = stand.npy(stand.iq(1))
    async with gateway.client.get("/events?confidence_level=0.95") as feed:
        assert feed.headers["Content-Type"].startswith("text/event-stream")
        async with gateway.client.post("/predict?session_id=live", data=body, headers=NPY) as answer:
            made = await answer.json()
        async with asyncio.timeout(30):
            event = await _fixes(feed.content)
    (fix,) = event
    assert (fix["id"], fix["session_id"], fix["cache"]) == (made["id"], "live", "miss")
    assert fix["ellipse"]["confidence_level"] == 0.95
    assert {"parse", "triton"} <= set(fix["stages_ms"])
    told = json.loads((await get(gateway, "/performance/history"))[2])
    assert (told["all"]["requests"], told["all"]["looked_up"], told["shared"]) == (1, 1, True)
    assert told["all"]["p95_ms"] > 0


async def test_a_feed_ends_when_the_gateway_stops(gateway: Gateway) -> None:
    async with gateway.client.get("/events") as feed:
        await feed.content.readline()
        stopping = asyncio.create_task(gateway.runner.cleanup())
        async with asyncio.timeout(20):
            while await feed.content.readline():
                pass
            await stopping


async def test_a_feed_ends_when_its_key_is_taken_away(
    start_gateway: StartGateway, alone: Config, tmp_path: Path
) -> None:
    """And no other feed does."""
    file, made = tmp_path / "keys", {}
    for name in ("leaver", "stayer"):
        made[name], stored = key_file.make_key(name, [Scope.READ])
        key_file.add(file, stored)
    gateway = await start_gateway(changed(alone, api_keys_file=file))
    leaver, stayer = ({"X-API-Key": made[name]} for name in ("leaver", "stayer"))
    async with (
        asyncio.timeout(60),
        gateway.client.get("/events", headers=leaver) as ends,
        gateway.client.get("/events", headers=stayer) as goes_on,
    ):
        await ends.content.readline()
        key_file.remove(file, "leaver")
        while await ends.content.readline():
            pass
        while await goes_on.content.readline() != b": still here\n":
            pass
        assert gateway.services.live is not None
        assert gateway.services.live.watchers == 1
    assert (await get(gateway, "/events", **leaver))[0] == 401


async def test_a_head_of_the_feed_is_all_there_is(start_gateway: StartGateway, alone: Config) -> None:
    """The next answer on the connection comes right behind it."""
    gateway = await start_gateway(alone)
    reader, writer = await asyncio.open_connection(*gateway.runner.addresses[0][:2])
    writer.write(request("HEAD", "/events") + request("GET", "/health", "Connection: close"))
    async with asyncio.timeout(60):
        head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: text/event-stream" in head
    assert b"Transfer-Encoding" not in head
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()
    await writer.wait_closed()
    assert gateway.services.live is not None
    assert gateway.services.live.watchers == 0
    async with gateway.client.head("/events?limit=0") as refused:
        assert refused.status == 400


async def _fixes(lines: Any) -> Any:
    """The first event of fixes."""
    name = ""
    async for raw in lines:
        line = raw.decode().rstrip("\n")
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: ") and name == "fixes":
            return json.loads(line[6:])
    raise AssertionError("the feed ended")


def test_the_policy_lets_in_tiles_from_where_the_option_says_and_nobody_else() -> None:
    assert "img-src 'self' data:;" in content_security_policy(None)
    assert "data: https://t.example:8443;" in content_security_policy("https://t.example:8443/{z}/{x}/{y}")
    assert "data: https://*.t.example;" in content_security_policy("https://{s}.t.example/{z}/{x}/{y}.png")
    assert "img-src 'self' data:;" in content_security_policy("/tiles/{z}/{x}/{y}.png")
