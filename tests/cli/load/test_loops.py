"""Open and closed loops against a service on loopback."""

import socket

import numpy as np
import pytest

from cli.load import closed_loop, message, open_loop
from cli.load.connection import Pool
from cli.load.figures import figures
from cli.load.open_loop import Plan
from tests.cli.load.conftest import Service


def test_arrivals_are_those_of_a_poisson_process() -> None:
    plan = Plan(rate=500.0, seconds=18.0, warm_s=2.0)
    arrivals = np.array(plan.arrivals())
    assert len(arrivals) == 10_000
    assert arrivals == pytest.approx(np.sort(arrivals))
    gaps = np.diff(arrivals)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
    assert plan.arrivals() == plan.arrivals()
    assert Plan(rate=500.0, seconds=18.0, seed=2).arrivals() != plan.arrivals()


async def test_an_open_loop_sends_every_request_once_and_counts_those_after_the_warm_up(
    service: Service,
) -> None:
    plan = Plan(rate=100.0, seconds=0.5, warm_s=0.2, goal_s=30.0, patience_s=30.0)
    pool = Pool(message.address(service.url))
    done = await open_loop.run(pool, lambda n: message.post(service.url, b"%d" % n, {}), plan)
    pool.close()
    assert sorted(map(int, service.bodies)) == list(range(70))
    counted = sum(due >= plan.warm_s for due in plan.arrivals())
    assert figures(done.samples).requests == counted == len(done.lag_s)
    assert figures(done.samples).failed == 0
    assert not done.given_up


async def test_an_open_loop_does_not_wait_for_a_service_that_stalls(service: Service) -> None:
    """One at a time, 0.1 s each: the tenth request waits for the nine before it, and that is its latency."""
    service.seconds, service.serial = 0.1, True
    plan = Plan(rate=1000.0, seconds=0.01, warm_s=0.0, goal_s=60.0, patience_s=60.0)
    pool = Pool(message.address(service.url))
    done = await open_loop.run(pool, lambda _: message.post(service.url, b"", {}), plan)
    pool.close()
    took = sorted(sample.took for sample in done.samples)
    assert len(took) == 10
    assert took[-1] >= 0.99
    assert min(np.diff(took)) >= 0.05


async def test_an_open_loop_gives_up_once_the_goal_cannot_be_met(service: Service) -> None:
    service.seconds, service.serial = 0.2, True
    plan = Plan(rate=50.0, seconds=60.0, warm_s=0.0, goal_s=0.1)
    pool = Pool(message.address(service.url))
    done = await open_loop.run(pool, lambda _: message.post(service.url, b"", {}), plan)
    pool.close()
    assert done.given_up
    assert len(done.samples) < 3000


async def test_an_open_loop_ends_with_the_first_failure(service: Service) -> None:
    service.fail = 1
    plan = Plan(rate=50.0, seconds=60.0, warm_s=0.0, goal_s=60.0)
    pool = Pool(message.address(service.url))
    done = await open_loop.run(pool, lambda _: message.post(service.url, b"", {}), plan)
    pool.close()
    assert done.given_up
    assert figures(done.samples).failures == {503: 1}


async def test_a_failure_while_warming_up_does_not_count(service: Service) -> None:
    service.fail = 1
    plan = Plan(rate=20.0, seconds=0.5, warm_s=0.5, goal_s=60.0, patience_s=60.0)
    pool = Pool(message.address(service.url))
    done = await open_loop.run(pool, lambda _: message.post(service.url, b"", {}), plan)
    pool.close()
    assert not done.given_up
    assert not figures(done.samples).failed


async def test_a_closed_loop_keeps_its_clients_busy_and_no_more(service: Service) -> None:
    service.seconds, service.fail = 0.05, 2
    pool = Pool(message.address(service.url))
    samples = await closed_loop.run(
        pool, lambda n: message.post(service.url, b"%d" % n, {}), clients=3, seconds=0.5
    )
    pool.close()
    told = figures(samples)
    assert told.failures == {503: 2}
    assert len(service.bodies) == len(samples) <= 2 + 3 * 11
    assert len(set(service.bodies)) == len(service.bodies)


async def test_a_lost_connection_is_a_failure_not_a_hang(service: Service) -> None:
    pool = Pool(message.address("http://127.0.0.1:9/"))
    with pytest.raises(OSError, match="9"):
        await pool.ask(b"")
    samples = await closed_loop.run(pool, lambda _: b"", clients=1, seconds=0.1)
    assert {sample.status for sample in samples} == {0}


async def test_an_open_loop_can_be_told_to_go_on_whatever_fails() -> None:
    """Nobody listens, and the goal cannot be kept: every request is a sample all the same."""
    plan = Plan(rate=200.0, seconds=0.1, warm_s=0.0, goal_s=0.0, to_the_end=True)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        pool = Pool(message.address(url))
        done = await open_loop.run(pool, lambda _: message.post(url, b"", {}), plan)
    assert not done.given_up
    assert [sample.status for sample in done.samples] == [0] * 20
