"""Between the gateway and Redis or Triton: slow, cut, garbled, and connections that are half open."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stack.part import LOOPBACK
from tests.faults.load import load
from tests.faults.redis_use import assert_nobody_waited, left_alone, used_again
from tests.faults.wire import Mode, Wire, wire
from tests.faults.world import MODEL, World, world
from tests.gateway import stand
from tests.gateway.gateway_process import gateway_process

pytestmark = pytest.mark.stack

REDIS_S = 10.0
TRITON_S = 30.0
"""gRPC asks for a sign of life after ten seconds, and gives up a connection that gives none in five."""


@dataclass(frozen=True)
class Wired:
    """A gateway, and its wires to the others."""

    url: str
    redis: Wire
    triton: tuple[Wire, ...]

    def set_triton(self, mode: Mode) -> None:
        """Do so to every wire to Triton."""
        for one in self.triton:
            one.mode = mode


@contextlib.contextmanager
def wired(made: World, home: Path, *, http: bool) -> Iterator[Wired]:
    """A gateway that calls Triton over HTTP or gRPC, through wires."""
    ports = [
        int(address.rpartition(":")[2]) for address in (made.redis_url, made.served.grpc, made.served.http)
    ]
    with wire(ports[0]) as redis, wire(ports[1]) as grpc, wire(ports[2]) as over_http:
        options = {
            "FIXGATE_REDIS_URL": f"redis://{LOOPBACK}:{redis.port}",
            "FIXGATE_TRITON_GRPC": f"{LOOPBACK}:{grpc.port}",
            **({"FIXGATE_TRITON_HTTP": f"{LOOPBACK}:{over_http.port}"} if http else {}),
        }
        with gateway_process(home, options) as url:
            yield Wired(url, redis, (grpc, over_http))


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Redis and Triton, which serves."""
    with world(tmp_path_factory.mktemp("wires")) as made:
        made.redis.start()
        made.triton.start()
        stand.publish(made.served, stand.echo_model(MODEL))
        made.announce()
        yield made


@pytest.fixture(scope="module", params=["grpc", "http"])
def between(
    request: pytest.FixtureRequest, surroundings: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Wired]:
    """A gateway behind wires that are well."""
    home = tmp_path_factory.mktemp(request.param)
    with wired(surroundings, home, http=request.param == "http") as made:
        yield made


@pytest.mark.parametrize("mode", ["slow", "cut", "garbled", "silent"])
async def test_whatever_becomes_of_the_way_to_redis_predictions_go_on(
    between: Wired, surroundings: World, mode: Mode
) -> None:
    async with load(between.url) as clients:
        await clients.answered(200, 50)
        began = time.monotonic()
        between.redis.mode = mode
        await clients.answered(200, 300)
        await left_alone(between.url)
        assert_nobody_waited(clients, began)
        between.redis.mode = "well"
        await used_again(surroundings, between.url)
        await clients.recovered(within_s=REDIS_S)


@pytest.mark.parametrize("mode", ["cut", "garbled", "silent"])
async def test_whatever_becomes_of_the_way_to_triton_no_answer_is_wrong_or_late(
    between: Wired, mode: Mode
) -> None:
    async with load(between.url, allowed={502, 503, 504}) as clients:
        await clients.recovered(within_s=TRITON_S)
        between.set_triton(mode)
        await clients.failed(10)
        between.set_triton("well")
        await clients.recovered(within_s=TRITON_S)


async def test_a_slow_way_to_triton_is_borne(between: Wired) -> None:
    async with load(between.url, allowed={503, 504}) as clients:
        await clients.recovered(within_s=TRITON_S)
        between.set_triton("slow")
        await clients.answered(200, 50)
        between.set_triton("well")
        await clients.recovered(within_s=TRITON_S)
