"""The gateway as a process: how it starts, drains and ends."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession

from gateway.config import Config
from tests.gateway.conftest import ECHO
from tests.gateway.triton.holding_triton import HoldingTriton, holding_triton
from tests.gateway.waiting import until
from tests.launch import free_ports

ROW = {"features": [45, 9, 100, 200, 0.5]}
PATH = f"/models/{ECHO}/predict"


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
        async with self.client.post(PATH, json=ROW) as response:
            return response.status

    async def is_ready(self) -> bool:
        """Whether /ready is 200."""
        return await self.status("/ready") == 200

    async def is_unready(self) -> bool:
        """Whether it is 503."""
        return await self.status("/ready") == 503

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
            await until(gateway.is_ready, within_s=30)
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


TELLING = [45.1875, 9.40625, 173.3125, 211.4375, 0.40625]
"""A row whose numbers, and its answer's, look like nothing else in a log: times have three places."""

LINE = {
    "time", "level", "logger", "message", "request_id", "outcome", "duration_ms", "stages_ms",
    "received_bytes", "sent_bytes",
}  # fmt: skip
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "a-miss": (PATH, {"features": TELLING}),
    "a-hit": (PATH, {"features": TELLING}),
    "a-refusal": (PATH, {"features": TELLING[:4]}),
    "a-batch": (f"{PATH}/batch", {"samples": [{"features": TELLING}, {"features": [30, *TELLING[1:]]}]}),
}
"""Requests by their ids."""


async def asked(alone: Config, level: str) -> tuple[str, dict[str, tuple[int, int]]]:
    """The log of a process that was asked all of that, and by id how long the bodies were, there and back.

    Triton ends before it, so that what is said of that is in the log too.
    """
    sizes = {}
    async with AsyncExitStack() as stack:
        triton = await stack.enter_async_context(holding_triton(1))
        options = environment(alone, FIXGATE_TRITON_GRPC=triton.address, FIXGATE_LOG_LEVEL=level)
        async with running(options) as gateway:
            await until(gateway.is_ready, within_s=60)
            for name, (path, document) in ASKED.items():
                body = json.dumps(document).encode()
                headers = {"X-Request-Id": name, "Content-Type": "application/json"}
                async with gateway.client.post(path, data=body, headers=headers) as response:
                    sizes[name] = len(body), len(await response.read())
            await stack.aclose()
            await until(gateway.is_unready, within_s=60)
            gateway.process.terminate()
            return await gateway.log(), sizes


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_the_log_has_a_json_line_for_each_request_without_its_samples_or_position(
    alone: Config, level: str
) -> None:
    log, sizes = await asked(alone, level)
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert not [number for number in TELLING if str(number) in log]
    of_requests = [line for line in lines if line["logger"] == "gateway.request"]
    found = {name: [line for line in of_requests if line["request_id"] == name] for name in ASKED}
    assert {name: len(of_one) for name, of_one in found.items()} == dict.fromkeys(ASKED, 1)
    assert [(one["message"].split()[-1], one["outcome"]) for (one,) in found.values()] == [
        ("200", "ok"), ("200", "ok"), ("400", "InvalidInput"), ("200", "ok"),
    ]  # fmt: skip
    for name, cache in (("a-miss", "miss"), ("a-hit", "hit"), ("a-batch", "mixed")):
        (line,) = found[name]
        assert set(line) == LINE | {"model", "version", "cache"}
        assert (line["model"], line["version"], line["cache"]) == (ECHO, "1", cache)
        assert ("triton" in line["stages_ms"]) is (cache != "hit")
    for name, (line,) in found.items():
        assert {"read", "parse"} <= set(line["stages_ms"])
        assert (line["received_bytes"], line["sent_bytes"]) == sizes[name]


async def test_requests_have_no_lines_in_a_log_of_errors(alone: Config) -> None:
    log, _ = await asked(alone, "error")
    assert not [name for name in ("gateway.request", *ASKED) if name in log]
