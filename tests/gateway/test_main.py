"""The gateway as a process: how it starts, drains and ends."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import ClientConnectionError, ClientSession

from gateway.config import Config
from tests.gateway.conftest import ECHO
from tests.gateway.triton.holding_triton import HoldingTriton, holding_triton
from tests.gateway.waiting import until
from tests.launch import free_ports

ROW = {"features": [45, 9, 100, 200, 0.5]}


@dataclass
class Running:
    """A gateway process and a client for it."""

    process: asyncio.subprocess.Process
    client: ClientSession

    async def status(self, path: str) -> int:
        """Of a GET; 0 while nothing listens."""
        try:
            async with self.client.get(path) as response:
                return response.status
        except ClientConnectionError:
            return 0

    async def predict(self) -> int:
        """Status of a prediction."""
        async with self.client.post(f"/models/{ECHO}/predict", json=ROW) as response:
            return response.status

    async def log(self) -> str:
        """All that it wrote; waits for its end."""
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()


def environment(config: Config, **options: str) -> dict[str, str]:
    """Options of a process on a free port."""
    mine = {
        "FIXGATE_PORT": str(free_ports(1)[0]),
        "FIXGATE_HOME": str(config.home),
        "FIXGATE_REDIS_URL": config.redis_url,
        "FIXGATE_TRITON_GRPC": ",".join(config.triton_grpc),
    }
    return {**os.environ, **mine, **options}


@asynccontextmanager
async def running(options: dict[str, str]) -> AsyncIterator[Running]:
    """`python -m gateway`, killed at the end if it has not ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=options, stderr=asyncio.subprocess.PIPE
    )
    async with ClientSession(f"http://127.0.0.1:{options['FIXGATE_PORT']}") as client:
        try:
            yield Running(process, client)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@asynccontextmanager
async def held_request(
    config: Config, **options: str
) -> AsyncIterator[tuple[Running, HoldingTriton, "asyncio.Task[int]"]]:
    """A gateway with a prediction under way that waits for Triton."""
    async with holding_triton() as triton:
        given = environment(config, FIXGATE_TRITON_GRPC=triton.address, **options)
        async with running(given) as gateway:

            async def is_ready() -> bool:
                return await gateway.status("/ready") == 200

            await until(is_ready, within_s=30)
            request = asyncio.create_task(gateway.predict())
            await until(lambda: triton.held == 1)
            yield gateway, triton, request


async def test_sigterm_lets_requests_finish(alone: Config) -> None:
    """First /ready is 503 while connections are still taken, then none are; what is under way is answered."""
    options = {"FIXGATE_DRAIN_DELAY_S": "1", "FIXGATE_CACHE_TTL": "60"}
    async with held_request(alone, **options) as (gateway, triton, request):
        gateway.process.send_signal(signal.SIGHUP)
        gateway.process.send_signal(signal.SIGTERM)

        async def is_draining() -> bool:
            return await gateway.status("/ready") == 503

        async def is_closed() -> bool:
            async with ClientSession(gateway.client._base_url) as fresh:
                return await Running(gateway.process, fresh).status("/health") == 0

        await until(is_draining)
        async with gateway.client.get("/health") as response:
            assert (response.status, response.headers["Connection"]) == (200, "close")
        await until(is_closed)
        assert not request.done()
        triton.release.set()
        assert await request == 200
        assert await gateway.process.wait() == 0
        log = await gateway.log()
        assert "FIXGATE_CACHE_TTL is not an option of any part of fixgate" in log
        assert "reload: commands go to sync through Redis, which does not answer" in log


async def test_a_request_that_takes_too_long_does_not_hold_up_the_end(alone: Config) -> None:
    options = {"FIXGATE_DRAIN_TIMEOUT_S": "0.2", "FIXGATE_PREDICT_TIMEOUT_MS": "60000"}
    async with held_request(alone, **options) as (gateway, _, request):
        gateway.process.send_signal(signal.SIGTERM)
        assert await gateway.process.wait() == 0
        with pytest.raises(ClientConnectionError):
            await request


async def test_a_second_signal_ends_it_at_once(alone: Config) -> None:
    async with held_request(alone, FIXGATE_DRAIN_DELAY_S="600") as (gateway, _, request):
        gateway.process.send_signal(signal.SIGTERM)

        async def is_draining() -> bool:
            return await gateway.status("/ready") == 503

        await until(is_draining)
        gateway.process.send_signal(signal.SIGTERM)
        assert await gateway.process.wait() == 1
        with pytest.raises(ClientConnectionError):
            await request


async def test_a_port_that_is_taken_is_named_with_its_option(alone: Config) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = str(server.sockets[0].getsockname()[1])
    async with running(environment(alone, FIXGATE_PORT=port)) as gateway:
        log = await gateway.log()
        assert await gateway.process.wait() == 1
    assert f"cannot listen on 127.0.0.1:{port} (FIXGATE_PORT)" in log
    assert "Traceback" not in log
    server.close()
    await server.wait_closed()
