"""Redis killed, stopped, emptied, full, closed to us: predictions go on, and then it is used again."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.faults.load import load
from tests.faults.redis_use import assert_nobody_waited, left_alone, used_again
from tests.faults.world import World

pytestmark = pytest.mark.stack

Fault = Callable[[World], AbstractContextManager[None]]
SAYS_S = 30.0


def wait_until_said(world: World, words: str) -> None:
    """Wait until the gateway's log has these words."""
    end = time.monotonic() + SAYS_S
    while words not in world.gateway.log.read_text(errors="replace"):
        assert time.monotonic() < end, f"the gateway does not say: {words}"
        time.sleep(0.05)


@contextlib.contextmanager
def killed(world: World) -> Iterator[None]:
    """Dead until the block ends."""
    world.redis.kill()
    try:
        yield
    finally:
        world.redis.start()


@contextlib.contextmanager
def full(world: World) -> Iterator[None]:
    """Every write is refused for want of memory."""
    with world.client() as client:
        before = {name: client.config_get(name)[name] for name in ("maxmemory", "maxmemory-policy")}
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        try:
            yield
        finally:
            for name, value in before.items():
                client.config_set(name, value)


@contextlib.contextmanager
def locked(world: World) -> Iterator[None]:
    """A password that the gateway does not have."""
    with world.client() as client:
        client.config_set("requirepass", "another")
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        try:
            yield
        finally:
            client.config_set("requirepass", "")


@contextlib.contextmanager
def emptied(world: World) -> Iterator[None]:
    """Everything in it is lost, the catalogue too."""
    with world.client() as client:
        client.flushall()
    yield


@contextlib.contextmanager
def garbage(world: World) -> Iterator[None]:
    """Where the catalogue was, there is none."""
    with world.client() as client:
        client.set("fixgate:catalog", b"\x00 no catalogue")
        client.publish("fixgate:catalog", "3")
    wait_until_said(world, "refused a catalogue from redis")
    yield


@contextlib.contextmanager
def outdated(world: World) -> Iterator[None]:
    """The catalogue is an older one, with a version that is there no more: who took it could not answer."""
    world.announce(revision=0, version=7)
    wait_until_said(world, "refused catalogue revision 0")
    yield


@contextlib.contextmanager
def hanging(world: World) -> Iterator[None]:
    """It takes connections and answers nothing."""
    with world.redis.stopped():
        yield


AWAY = (killed, hanging, locked)


@pytest.mark.parametrize("fault", [killed, hanging, emptied, full, locked, garbage, outdated])
async def test_predictions_go_on(fault: Fault, faulty: World) -> None:
    async with load(faulty.url) as clients:
        await clients.answered(200, 50)
        with contextlib.ExitStack() as stack:
            began = time.monotonic()
            await asyncio.to_thread(stack.enter_context, fault(faulty))
            await clients.answered(200, 500)
            if fault in AWAY:
                await left_alone(faulty.url)
            assert_nobody_waited(clients, began)
            await asyncio.to_thread(stack.close)
        await used_again(faulty, faulty.url)
        await clients.recovered(within_s=10)
