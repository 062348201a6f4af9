"""Identical requests share one flight."""

import asyncio

import pytest

from gateway.flights import Flights
from tests.gateway.waiting import settle


class Plane:
    """A flight that lands when it is told to."""

    def __init__(self) -> None:
        self.started = 0
        self.cancelled = 0
        self.landing: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def fly(self) -> str:
        self.started += 1
        try:
            return await self.landing
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def test_identical_requests_share_one_flight() -> None:
    flights, plane = Flights[str, str](), Plane()
    waiters = [asyncio.create_task(flights.join("k", plane.fly)) for _ in range(3)]
    await settle()
    plane.landing.set_result("here")
    assert await asyncio.gather(*waiters) == [("here", False), ("here", True), ("here", True)]
    assert plane.started == 1


async def test_different_requests_do_not() -> None:
    flights, one, other = Flights[str, str](), Plane(), Plane()
    waiters = [asyncio.create_task(flights.join(key, plane.fly)) for key, plane in (("a", one), ("b", other))]
    await settle()
    one.landing.set_result("A")
    other.landing.set_result("B")
    assert await asyncio.gather(*waiters) == [("A", False), ("B", False)]


async def test_nothing_is_kept_after_landing() -> None:
    flights = Flights[str, str]()
    for answer in ("first", "second"):
        plane = Plane()
        plane.landing.set_result(answer)
        assert await flights.join("k", plane.fly) == (answer, False)
        assert "k" not in flights


async def test_a_failure_reaches_all_who_waited_and_nobody_after() -> None:
    flights, crash = Flights[str, str](), Plane()
    waiters = [asyncio.create_task(flights.join("k", crash.fly)) for _ in range(2)]
    await settle()
    crash.landing.set_exception(ValueError("no"))
    assert [str(one) for one in await asyncio.gather(*waiters, return_exceptions=True)] == ["no", "no"]
    plane = Plane()
    plane.landing.set_result("fine")
    assert await flights.join("k", plane.fly) == ("fine", False)


async def test_whoever_started_a_flight_may_leave_it_to_the_others() -> None:
    flights, plane = Flights[str, str](), Plane()
    first, second = (asyncio.create_task(flights.join("k", plane.fly)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    assert plane.cancelled == 0
    plane.landing.set_result("here")
    assert await second == ("here", True)


async def test_the_last_to_leave_cancels_and_the_next_flies_anew() -> None:
    flights, plane, next_plane = Flights[str, str](), Plane(), Plane()
    waiters = [asyncio.create_task(flights.join("k", plane.fly)) for _ in range(2)]
    await settle()
    for waiter in waiters:
        waiter.cancel()
    late = asyncio.create_task(flights.join("k", next_plane.fly))
    await settle()
    assert plane.cancelled == 1
    next_plane.landing.set_result("here")
    assert (await late)[0] == "here"


@pytest.mark.parametrize("waiters", [1, 5])
async def test_a_failure_nobody_waits_for_leaves_no_complaint(
    waiters: int, caplog: pytest.LogCaptureFixture
) -> None:
    flights, plane = Flights[str, str](), Plane()
    tasks = [asyncio.create_task(flights.join("k", plane.fly)) for _ in range(waiters)]
    await settle()
    plane.landing.set_exception(ValueError("too late"))
    for task in tasks:
        task.cancel()
    await settle()
    assert "never retrieved" not in caplog.text
