"""Whole gateways with administration to call, before there is any, and a clock to turn."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from gateway.access import key_file
from gateway.access.guard import caller, guarded
from gateway.access.key_file import Scope
from gateway.app import make_app
from gateway.config import Config
from gateway.keys import ACCESS
from gateway.serving.server import Runner
from tests.gateway.conftest import Clock, changed

ADMINISTER, HOLD = "/administer", "/hold"


@dataclass
class Keys:
    """A file of API keys, and the keys themselves by name."""

    file: Path
    known: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, *scopes: Scope) -> str:
        """Make a key."""
        self.known[name], stored = key_file.make_key(name, scopes)
        key_file.add(self.file, stored)
        return self.known[name]


@dataclass
class Gate:
    """A gateway; `/hold` answers when `release` is set, and says in `held` that it is under way."""

    client: ClientSession
    clock: Clock
    held: asyncio.Event
    release: asyncio.Event

    async def status(self, method: str, path: str, **request: object) -> int:
        """The status of an answer."""
        async with self.client.request(method, path, **request) as response:  # type: ignore[arg-type]
            return response.status


StartGate = Callable[[Config], Awaitable[Gate]]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """One key for each scope, named for it."""
    made = Keys(tmp_path / "keys" / "api-keys.jsonl")
    for scope in Scope:
        made.add(scope, scope)
    return made


@pytest.fixture
def with_keys(alone: Config, keys: Keys) -> Config:
    """Options of a gateway that asks for keys."""
    return changed(alone, api_keys_file=keys.file)


@pytest.fixture
async def start_gate() -> AsyncIterator[StartGate]:
    """Starts gateways, and stops them at the end."""
    started: list[tuple[web.AppRunner, Gate]] = []

    async def start(config: Config) -> Gate:
        clock, held, release = Clock(), asyncio.Event(), asyncio.Event()

        async def administer(request: web.Request) -> web.Response:
            return web.Response(text=caller(request))

        async def hold(_: web.Request) -> web.Response:
            held.set()
            await release.wait()
            return web.Response(text="held")

        app = make_app(config, clock)
        app.router.add_route("POST", ADMINISTER, guarded(administer, Scope.ADMIN, app[ACCESS]))
        app.router.add_route("GET", HOLD, guarded(hold, Scope.READ, app[ACCESS]))
        runner = Runner(app, send_timeout_s=5.0, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        gate = Gate(ClientSession(f"http://{host}:{port}"), clock, held, release)
        started.append((runner, gate))
        return gate

    yield start
    for runner, gate in started:
        gate.release.set()
        await gate.client.close()
        await runner.cleanup()
