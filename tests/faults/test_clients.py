"""Clients that stand half open or take every file descriptor there is; clients whose gateway vanishes."""

import asyncio
import contextlib
import resource
import socket
from urllib.parse import urlsplit

import pytest

from tests.faults.load import CLIENTS, load
from tests.faults.world import World, open_files
from tests.gateway.waiting import until

pytestmark = pytest.mark.stack

CROWD = 200


def address(world: World) -> tuple[str, int]:
    """Where the gateway listens."""
    found = urlsplit(world.url)
    return found.hostname or "", found.port or 0


async def test_half_open_connections_disturb_nobody(faulty: World) -> None:
    begun = b"POST /predict?dtype=f32_le HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n1234"
    async with load(faulty.url) as clients:
        with contextlib.ExitStack() as stack:
            for _ in range(CROWD):
                half = stack.enter_context(socket.create_connection(address(faulty), timeout=10))
                half.sendall(begun)
            await clients.answered(200, 300)
        await clients.recovered(within_s=10)


async def test_out_of_file_descriptors_it_answers_whom_it_has_and_then_everybody_again(faulty: World) -> None:
    async with load(faulty.url) as clients:
        await clients.answered(200, 100)
        pid = faulty.gateway.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        few = open_files(pid) + 30
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, before[1]))
        try:
            with contextlib.ExitStack() as stack:
                for _ in range(CROWD):
                    stack.enter_context(socket.create_connection(address(faulty), timeout=10))
                await clients.answered(200, 300)
            await until(lambda: open_files(pid) < few - CLIENTS)
            async with load(faulty.url) as newcomers:
                await newcomers.recovered(within_s=10)
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


async def test_a_gateway_that_is_killed_and_started_again_answers_again(faulty: World) -> None:
    async with load(faulty.url, allowed={0, 503}) as clients:
        await clients.answered(200, 50)
        await asyncio.to_thread(faulty.gateway.kill)
        await clients.answered(0, 10)
        await asyncio.to_thread(faulty.gateway.start)
        await clients.recovered(within_s=60)
