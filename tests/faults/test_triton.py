"""Triton killed, stopped, and without its backend's child."""

import asyncio
import os
import signal

import pytest

from tests.faults.load import load
from tests.faults.world import World, children

pytestmark = pytest.mark.stack

RECOVERY_S = 30.0
"""Triton's own start is in it."""


async def test_while_triton_is_dead_requests_are_refused_and_when_it_is_back_they_are_answered(
    faulty: World,
) -> None:
    async with load(faulty.url, allowed={502, 503, 504}, clients=100) as clients:
        await clients.answered(200, 50)
        await asyncio.to_thread(faulty.triton.kill)
        await clients.answered(503, 50)
        await asyncio.to_thread(faulty.triton.start)
        await clients.recovered(within_s=RECOVERY_S)


async def test_while_triton_stands_still_no_request_outlives_its_deadline(faulty: World) -> None:
    async with load(faulty.url, allowed={503, 504}) as clients:
        await clients.answered(200, 50)
        with faulty.triton.stopped():
            await clients.answered(504, 10)
        await clients.recovered(within_s=RECOVERY_S)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "standing still"])
async def test_a_lost_child_of_the_backend_costs_no_wrong_answer_and_a_restart_brings_it_back(
    faulty: World, number: signal.Signals
) -> None:
    """Triton 24.10 does not always start a Python backend's child again, and may abort when one stands still
    (it waits for a lock with a time limit); NVIDIA's C++ backend has none."""
    stubs = children(faulty.triton.pid)
    assert stubs
    async with load(faulty.url, allowed={502, 503, 504}) as clients:
        await clients.answered(200, 50)
        for stub in stubs:
            os.kill(stub, number)
        await clients.failed(10)
        await asyncio.to_thread(faulty.triton.kill)
        await asyncio.to_thread(faulty.triton.start)
        await clients.recovered(within_s=RECOVERY_S)
