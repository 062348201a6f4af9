"""Redis killed, stopped, emptied, full, closed to us: predictions go on as if nothing were."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.faults.load import load
from tests.faults.world import World

pytestmark = pytest.mark.stack

Fault = Callable[[World], AbstractContextManager[None]]


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
    world.announce(revision=2)


@contextlib.contextmanager
def garbage(world: World) -> Iterator[None]:
    """Where the catalogue was, there is none."""
    with world.client() as client:
        client.set("fixgate:catalog", b"\x00 no catalogue")
        client.publish("fixgate:catalog", "3")
    yield
    world.announce(revision=3)


@contextlib.contextmanager
def outdated(world: World) -> Iterator[None]:
    """The catalogue is an older one."""
    world.announce(revision=0)
    yield
    world.announce(revision=4)


@contextlib.contextmanager
def hanging(world: World) -> Iterator[None]:
    """It takes connections and answers nothing."""
    with world.redis.stopped():
        yield


@pytest.mark.parametrize("fault", [killed, hanging, emptied, full, locked, garbage, outdated])
async def test_predictions_go_on(fault: Fault, faulty: World) -> None:
    async with load(faulty.url) as clients:
        await clients.answered(200, 50)
        with contextlib.ExitStack() as stack:
            await asyncio.to_thread(stack.enter_context, fault(faulty))
            await clients.answered(200, 500)
            await asyncio.to_thread(stack.close)
        await clients.recovered(within_s=10)
