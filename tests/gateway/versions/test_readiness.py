"""What must be there before traffic comes."""

import asyncio

import pytest

from contract.catalog import Catalog, RoutePolicy
from gateway.versions.readiness import Readiness
from tests.gateway import stand
from tests.gateway.fakes import ECHO, served
from tests.gateway.waiting import until


class World:
    """A catalogue and the versions that are ready."""

    def __init__(self, catalog: Catalog | None = None, *ready: int) -> None:
        self.catalog = catalog
        self.ready = set(ready)
        self.silent: set[int] = set()
        self.asked: list[tuple[str, int]] = []

    async def version_ready(self, model: str, version: int) -> bool | None:
        self.asked.append((model, version))
        return None if version in self.silent else version in self.ready

    def readiness(self, default: str | None = None) -> Readiness:
        return Readiness(lambda: self.catalog, self.version_ready, default)


async def missing(world: World, default: str | None = None) -> tuple[str, ...]:
    """What one check finds missing."""
    readiness = world.readiness(default)
    await readiness.check()
    return readiness.missing


def test_before_the_first_check_it_is_not_ready() -> None:
    assert not World().readiness().ready


async def test_a_catalogue_comes_first() -> None:
    (what,) = await missing(World())
    assert what.startswith("the catalogue")


async def test_a_default_model_must_be_settled_and_served() -> None:
    two = Catalog("1.0", 1, 0.0, {"a": served(), "b": served()})
    (what,) = await missing(World(two))
    assert what == "a default model: set FIXGATE_DEFAULT_MODEL to one of a, b"
    (what,) = await missing(World(Catalog("1.0", 1, 0.0, {})))
    assert what == "a model: none is served yet"
    (what,) = await missing(World(two), "c")
    assert what.startswith('model "c"')


async def test_somebody_must_take_the_traffic() -> None:
    nobody = stand.served_model(name="echo")
    (what,) = await missing(World(stand.catalogue(nobody)))
    assert "champion" in what


def weighted() -> Catalog:
    """Champion 1 and candidate 2 with weights, 3 without."""
    versions = [ECHO.served(version=number) for number in (1, 2, 3)]
    policy = RoutePolicy({"champion": 1, "candidate": 1})
    return stand.catalogue(stand.served_model(*versions, name="echo", routing=policy))


async def test_somebody_must_be_ready_for_all_of_the_traffic() -> None:
    """The champion stands in for the candidate, nobody for the champion; and nobody else is asked."""
    world = World(weighted(), 2, 3)
    assert await missing(world) == ('model "echo" version 1: not ready in Triton',)
    assert world.asked == [("echo", 1), ("echo", 2)]
    world.ready = {1}
    assert await missing(world) == ()


async def test_a_version_with_weight_that_is_not_ready_is_away() -> None:
    world = World(weighted(), 1)
    readiness = world.readiness()
    assert readiness.available("echo", 2)
    await readiness.check()
    assert [readiness.available("echo", number) for number in (1, 2)] == [True, False]
    world.ready.add(2)
    await readiness.check()
    assert readiness.available("echo", 2)


async def test_a_version_found_away_stays_away_until_it_says_that_it_is_ready() -> None:
    """Of any model; that nobody answers for it says nothing."""
    world = World(weighted(), 1, 2)
    readiness = world.readiness()
    readiness.away("echo", 3)
    world.silent.add(3)
    await readiness.check()
    assert not readiness.available("echo", 3)
    world.silent.clear()
    await readiness.check()
    assert not readiness.available("echo", 3)
    world.ready.add(3)
    await readiness.check()
    assert readiness.available("echo", 3)


async def test_silence_makes_nobody_away_but_nobody_ready_either() -> None:
    world = World(weighted(), 1, 2)
    world.silent = {1, 2}
    readiness = world.readiness()
    await readiness.check()
    assert readiness.missing
    assert readiness.available("echo", 1)


async def test_what_is_not_served_any_more_is_not_asked_for() -> None:
    world = World(weighted(), 1, 2)
    readiness = world.readiness()
    readiness.away("echo", 9)
    await readiness.check()
    assert ("echo", 9) not in world.asked


async def test_a_version_that_calls_are_kept_from_is_not_available() -> None:
    world = World(weighted(), 1, 2)
    readiness = Readiness(
        lambda: world.catalog, world.version_ready, None, reachable=lambda _, number: number != 2
    )
    assert [readiness.available("echo", number) for number in (1, 2)] == [True, False]


async def test_once_started_it_stays_started() -> None:
    world = World(stand.catalogue(served()), 1)
    readiness = world.readiness()
    assert not readiness.started.is_set()
    await readiness.check()
    assert (readiness.ready, readiness.started.is_set()) == (True, True)
    world.ready.clear()
    await readiness.check()
    assert (readiness.ready, readiness.started.is_set()) == (False, True)


async def test_draining_is_not_ready() -> None:
    readiness = World(stand.catalogue(served()), 1).readiness()
    await readiness.check()
    readiness.draining = True
    assert not readiness.ready


async def test_news_are_looked_at_without_waiting_for_the_next_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.versions.readiness.RETRY_S", 3600.0)
    world = World()
    readiness = world.readiness()
    task = asyncio.create_task(readiness.watch())
    await until(lambda: readiness.missing[0].startswith("the catalogue"))
    world.catalog = stand.catalogue(served())
    world.ready = {1}
    readiness.look_now()
    await until(lambda: readiness.ready)
    task.cancel()


async def test_it_finds_out_by_itself() -> None:
    world = World(stand.catalogue(served()))
    readiness = world.readiness()
    task = asyncio.create_task(readiness.watch())
    await until(lambda: bool(world.asked))
    world.ready = {1}
    await until(lambda: readiness.ready)
    task.cancel()
