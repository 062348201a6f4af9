"""One world for all tests that leave it as they found it."""

from collections.abc import Iterator

import pytest

from tests.faults.world import MODEL, World, world
from tests.gateway import stand


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything runs, and the gateway is ready."""
    with world(tmp_path_factory.mktemp("faults")) as made:
        made.redis.start()
        made.triton.start()
        stand.publish(made.served, stand.echo_model(MODEL))
        made.announce()
        made.gateway.start()
        yield made
