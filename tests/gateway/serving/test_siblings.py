"""A worker and its parent, over a real link, with a real Redis and no sync that would answer."""

import asyncio
import socket

import pytest
import redis

from contract import keys
from gateway.app import make_runner
from gateway.config import Config
from gateway.keys import SIBLINGS
from gateway.serving.process import _linked
from gateway.serving.worker_link import BUFFER, Answer, Ask, FromWorker, Reload, receive, send
from gateway.telemetry.report import Family, Report
from tests.gateway.conftest import changed
from tests.gateway.waiting import until


async def test_a_worker_that_reloads_hears_what_the_others_report_and_reloads_once_at_a_time(
    alone: Config, empty_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.serving.process.RELOAD_S", 3600.0)
    monkeypatch.setattr("gateway.serving.siblings.WAIT_S", 60.0)
    runner = make_runner(changed(alone, redis_url=empty_redis))
    await runner.setup()
    siblings = runner.app[SIBLINGS]
    parents, workers = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=parents, limit=BUFFER)
    with redis.Redis.from_url(empty_redis) as client:
        async with _linked(runner.app, workers, asyncio.Event()):
            send(writer, Reload())
            send(writer, Reload())
            await until(lambda: client.xlen(keys.COMMANDS) > 0)
            reporting = asyncio.create_task(siblings.report())
            while not isinstance(asked := await receive(reader, FromWorker), Ask):
                assert asked is not None
            others = Family("others", "Of the others.", "counter", [("others_total", {}, 3.0)])
            send(writer, Answer(asked.number, [Report([others])]))
            assert others in (await reporting).families
            assert client.xlen(keys.COMMANDS) == 1
    writer.close()
    await runner.cleanup()
