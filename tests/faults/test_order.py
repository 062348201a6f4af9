"""Started before everything it needs, in every order, the gateway is ready once they are there."""

import itertools
from pathlib import Path

import pytest

from stack.part import http_ok
from tests.faults.load import load
from tests.faults.world import MODEL, world
from tests.gateway import stand
from tests.gateway.waiting import until

pytestmark = pytest.mark.stack

NAMES = ("redis", "triton", "gateway")


@pytest.mark.parametrize("order", list(itertools.permutations(NAMES)), ids="-".join)
async def test_every_order_of_starting_ends_ready(order: tuple[str, ...], tmp_path: Path) -> None:
    with world(tmp_path) as made:
        for name in order:
            held = getattr(made, name)
            held.begin()
            if name != "gateway":
                held.wait()
            if name == "redis":
                made.announce()
            if name == "triton":
                stand.publish(made.served, stand.echo_model(MODEL))
        port = int(made.url.rpartition(":")[2])

        async def ready() -> bool:
            return http_ok(port, "/ready")

        await until(ready, within_s=60)
        async with load(made.url) as clients:
            await clients.recovered(within_s=20)
