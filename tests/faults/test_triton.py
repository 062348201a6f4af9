"""Triton killed, stopped, and without its backend's child."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import pytest

from stack.guard import Guard
from stack.supervisor import Event, State, Supervisor
from tests.faults.load import load
from tests.faults.world import World, children
from tests.gateway.waiting import until

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


@contextlib.asynccontextmanager
async def supervised(world: World) -> AsyncIterator[Supervisor]:
    """Triton as `fixgate up` runs it, in place of the one in our hands."""
    world.triton.end()
    ready = asyncio.Event()

    def tell(event: Event) -> None:
        if event.state is State.READY:
            ready.set()

    with Guard() as guard:
        supervisor = Supervisor([world.triton.part], world.triton.log.parent, guard, tell)
        running = asyncio.create_task(supervisor.run())
        try:
            await ready.wait()
            yield supervisor
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            world.triton.start()


async def test_a_killed_child_of_the_backend_costs_no_wrong_answer_and_all_is_well_again_by_itself(
    faulty: World,
) -> None:
    """Triton 24.10 does not notice, and says that the version is ready; NVIDIA's C++ backend has no child."""
    async with supervised(faulty) as supervisor, load(faulty.url, allowed={502, 503, 504}) as clients:
        await clients.recovered(within_s=RECOVERY_S)
        first = supervisor.pid("triton")
        assert first is not None
        stubs = children(first)
        assert stubs
        for stub in stubs:
            os.kill(stub, signal.SIGKILL)
        await until(lambda: supervisor.pid("triton") not in (None, first), within_s=RECOVERY_S)
        await clients.recovered(within_s=RECOVERY_S)


async def test_a_child_of_the_backend_that_stands_still_costs_no_wrong_answer_and_a_restart_brings_it_back(
    faulty: World,
) -> None:
    """Triton 24.10 may abort then: it waits for a lock with a time limit."""
    stubs = children(faulty.triton.pid)
    assert stubs
    async with load(faulty.url, allowed={502, 503, 504}) as clients:
        await clients.answered(200, 50)
        for stub in stubs:
            os.kill(stub, signal.SIGSTOP)
        await clients.failed(10)
        await asyncio.to_thread(faulty.triton.kill)
        await asyncio.to_thread(faulty.triton.start)
        await clients.recovered(within_s=RECOVERY_S)
