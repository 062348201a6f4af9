"""A service on loopback that takes as long as it is told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web


@dataclass(slots=True)
class Service:
    """Answers `POST /` after `seconds`, one request at a time when `serial`; `fail` ones with 503."""

    url: str = ""
    seconds: float = 0.0
    serial: bool = False
    fail: int = 0
    bodies: list[bytes] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def answer(self, request: web.Request) -> web.Response:
        """The handler."""
        self.bodies.append(await request.read())
        if self.fail:
            self.fail -= 1
            return web.Response(status=503)
        if self.serial:
            async with self.lock:
                await asyncio.sleep(self.seconds)
        else:
            await asyncio.sleep(self.seconds)
        return web.json_response({})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """The service, running."""
    service = Service()
    app = web.Application()
    app.router.add_post("/", service.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield service
    finally:
        await runner.cleanup()
