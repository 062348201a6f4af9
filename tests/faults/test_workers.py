"""A worker of the gateway killed or standing still."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.faults.load import CLIENTS, HANGS_S, SLACK_S, Load, load
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


@pytest.mark.parametrize(
    ("number", "late_by_s"),
    [(signal.SIGKILL, SLACK_S), (signal.SIGSTOP, HANGS_S)],
    ids=["killed", "standing still"],
)
async def test_a_lost_worker_costs_its_own_connections_only_and_is_replaced(
    working: World, number: signal.Signals, late_by_s: float
) -> None:
    await until(lambda: len(children(working.gateway.pid)) == 2)
    lost, other = children(working.gateway.pid)
    allowed = {0, 503}  # one worker may have too much to do
    async with load(working.url, allowed=allowed, late_by_s=late_by_s) as clients:
        await clients.answered(200, 100)
        os.kill(lost, number)
        try:
            await clients.answered(200, 200)  # by the other one
            await until(lambda: lost not in children(working.gateway.pid), within_s=RECOVERY_S)
        finally:
            with suppress(ProcessLookupError):
                os.kill(lost, signal.SIGCONT)
        await until(lambda: len(children(working.gateway.pid)) == 2, within_s=RECOVERY_S)
        replaced_at = time.monotonic()
        await clients.recovered(within_s=RECOVERY_S)
    assert other in children(working.gateway.pid)
    assert_only_its_own_were_lost(clients, replaced_at)


def assert_only_its_own_were_lost(seen: Load, replaced_at: float) -> None:
    """There are as many connections as clients, each can be lost once, and with the worker at the latest."""
    broken = [one for one in seen.answers if one.status == 0]
    assert len(broken) <= CLIENTS, seen.statuses
    assert all(one.began < replaced_at and one.ended < replaced_at + SLACK_S for one in broken), (
        replaced_at,
        broken,
    )
    assert all(one.status == 0 for one in seen.late()), seen.late()[:3]
