"""A worker of the gateway killed or standing still."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.faults.load import load
from tests.faults.world import MODEL, World, children, world
from tests.gateway import stand
from tests.gateway.waiting import until

pytestmark = pytest.mark.stack

RECOVERY_S = 60.0
"""Ten seconds until a worker that stands still is ended, and the start of another."""


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway of two workers."""
    with world(tmp_path_factory.mktemp("workers"), FIXGATE_WORKERS="2") as made:
        made.redis.start()
        made.triton.start()
        stand.publish(made.served, stand.echo_model(MODEL))
        made.announce()
        made.gateway.start()
        yield made


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "standing still"])
async def test_a_lost_worker_costs_its_own_connections_only_and_is_replaced(
    working: World, number: signal.Signals
) -> None:
    await until(lambda: len(children(working.gateway.pid)) == 2)
    lost, other = children(working.gateway.pid)
    async with load(working.url, allowed={0, 503}) as clients:  # one worker may have too much to do
        await clients.answered(200, 100)
        os.kill(lost, number)
        try:
            await clients.answered(200, 200)  # by the other one
            await until(lambda: lost not in children(working.gateway.pid), within_s=RECOVERY_S)
        finally:
            with suppress(ProcessLookupError):
                os.kill(lost, signal.SIGCONT)
        await until(lambda: len(children(working.gateway.pid)) == 2, within_s=RECOVERY_S)
        await clients.recovered(within_s=RECOVERY_S)
    assert other in children(working.gateway.pid)
    assert clients.statuses[0] <= len(clients.answers) // 2
