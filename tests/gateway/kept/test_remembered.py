"""Predictions kept in packs, in a real Redis: which are found, which have gone, what else may lie there."""

import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import redis.asyncio

from gateway.domain import Covariance, Fix, Options
from gateway.errors import NotFound
from gateway.kept.feedback import Kept, kept
from gateway.kept.remembered import PACKS, SPAN_S, Remembered
from gateway.prediction import Prediction, derive
from gateway.redis_client import connect


def made(at: float, number: int = 0) -> Prediction:
    """A prediction of that time, whose id says so."""
    moment = f"{int(at * 1e3):012x}"
    identifier = f"{moment[:8]}-{moment[8:]}-7000-8000-{number:012x}"
    fix = Fix(45.0, 9.0, Covariance(400.0, 100.0, 10.0))
    derived = derive(fix, sigma_scale=1.0, level=0.68, radius_m=1e3)
    return Prediction(identifier, "m", 1, derived, Options(), "miss", 4.0, at)


def spread(count: int, *, until: float, every_s: float) -> list[Prediction]:
    """Predictions, the last one made at `until`."""
    return [made(until - (count - 1 - number) * every_s, number) for number in range(count)]


@pytest.fixture
async def client(empty_redis: str) -> AsyncIterator["redis.asyncio.Redis"]:
    one = connect(empty_redis, max_connections=4)
    yield one
    await one.aclose()


async def write(keeper: Remembered, *predictions: Prediction) -> None:
    """As the writer does, in one go."""
    await keeper._write([kept(one) for one in predictions])


async def found(keeper: Remembered, predictions: list[Prediction]) -> list[bool]:
    """Which of these are found, each as it was."""
    told = []
    for one in predictions:
        try:
            there = await keeper.find(one.id)
        except NotFound:
            told.append(False)
        else:
            assert there == kept(one)
            told.append(True)
    return told


async def packs(client: "redis.asyncio.Redis") -> list[list[Kept]]:
    """The packs, oldest first."""
    members: Any = await client.zrange(PACKS, 0, -1)
    return [msgspec.msgpack.decode(one, type=list[Kept]) for one in members if one != b"held"]


@pytest.fixture
def now() -> float:
    """Long enough ago that nobody waits for another process to write."""
    return time.time() - 10.0


async def test_what_is_made_close_together_is_one_pack_and_all_of_it_is_found(
    client: "redis.asyncio.Redis", now: float
) -> None:
    keeper = Remembered(client, seconds=3600, count=100)
    close = spread(10, until=now, every_s=SPAN_S / 20)
    await write(keeper, *close)
    assert [len(pack) for pack in await packs(client)] == [10]
    assert await found(keeper, close) == [True] * 10


async def test_what_is_made_over_a_longer_time_is_several_packs_and_all_of_it_is_found(
    client: "redis.asyncio.Redis", now: float
) -> None:
    keeper = Remembered(client, seconds=3600, count=100)
    first, second = spread(7, until=now, every_s=0.4 * SPAN_S), spread(5, until=now + 1, every_s=2 * SPAN_S)
    await write(keeper, *first)
    await write(keeper, *second)
    held = await packs(client)
    assert sum(map(len, held)) == 12
    assert all(pack[-1].at - pack[0].at <= SPAN_S for pack in held)
    assert len(held) >= 5 + 2
    assert await found(keeper, [*first, *second]) == [True] * 12
    assert await client.zscore(PACKS, "held") == -12


async def test_packs_of_several_processes_lie_beside_each_other(
    client: "redis.asyncio.Redis", now: float
) -> None:
    one, other = (Remembered(client, seconds=3600, count=100) for _ in range(2))
    ours, theirs = [made(now, 1), made(now, 2)], [made(now, 3)]
    await write(one, *ours)
    await write(other, *theirs)
    for keeper in (one, other):
        assert await found(keeper, [*ours, *theirs]) == [True] * 3


@pytest.mark.parametrize("every_s", [0.0, 0.3 * SPAN_S, 3 * SPAN_S])
@pytest.mark.parametrize("at_once", [1, 4, 9])
async def test_exactly_the_newest_are_kept_however_they_lie_in_packs(
    client: "redis.asyncio.Redis", now: float, every_s: float, at_once: int
) -> None:
    keeper = Remembered(client, seconds=3600, count=6)
    every = spread(18, until=now, every_s=every_s)
    for place in range(0, 18, at_once):
        await write(keeper, *every[place : place + at_once])
        count = min(place + at_once, 18)
        assert sum(map(len, await packs(client))) == min(count, 6)
        assert await client.zscore(PACKS, "held") == -min(count, 6)
    assert await found(keeper, every) == [False] * 12 + [True] * 6


async def test_a_write_larger_than_the_bound_keeps_its_newest(
    client: "redis.asyncio.Redis", now: float
) -> None:
    keeper = Remembered(client, seconds=3600, count=3)
    every = spread(10, until=now, every_s=SPAN_S / 100)
    await write(keeper, *every)
    assert await found(keeper, every) == [False] * 7 + [True] * 3


async def test_what_is_too_old_is_not_found_and_goes_with_the_next_write(
    client: "redis.asyncio.Redis", now: float
) -> None:
    keeper = Remembered(client, seconds=60, count=100)
    old, fresh = made(now - 61, 1), made(now, 2)
    await write(keeper, old)
    assert await found(keeper, [old]) == [False]
    await write(keeper, fresh)
    assert await found(keeper, [old, fresh]) == [False, True]
    assert await packs(client) == [[kept(fresh)]]
    assert await client.zscore(PACKS, "held") == -1
    assert 0 < await client.ttl(PACKS) <= 60


async def test_what_waits_to_be_written_is_found(client: "redis.asyncio.Redis", now: float) -> None:
    keeper, one = Remembered(client, seconds=3600, count=100), made(now)
    keeper.put(one)
    assert await packs(client) == []
    assert await keeper.find(one.id) == kept(one)


@pytest.mark.parametrize("identifier", ["", "x", "held", "00000000-0000-4000-8000-000000000000"])
async def test_an_id_that_tells_no_time_is_not_found(
    client: "redis.asyncio.Redis", now: float, identifier: str
) -> None:
    keeper = Remembered(client, seconds=3600, count=100)
    await write(keeper, made(now))
    with pytest.raises(NotFound):
        await keeper.find(identifier)


GARBAGE = [
    b"garbage",
    b"",
    b"\xc1",
    msgspec.msgpack.encode({"a": 1}),
    msgspec.msgpack.encode([1, 2]),
    msgspec.msgpack.encode([["id", "m", "no version"]]),
    msgspec.msgpack.encode([["id"]]),
    b"\x91\x91\xa2\xff\xfe",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_beside_a_pack_is_passed_over(
    client: "redis.asyncio.Redis", now: float, garbage: bytes
) -> None:
    keeper, one = Remembered(client, seconds=3600, count=100), made(now)
    await client.zadd(PACKS, {garbage: now - SPAN_S / 2})
    await write(keeper, one)
    await client.zadd(PACKS, {garbage + b"\0": now})
    assert await found(keeper, [one, made(now, 9)]) == [True, False]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_that_is_the_oldest_keeps_nobody_from_writing(
    client: "redis.asyncio.Redis", now: float, garbage: bytes
) -> None:
    """It goes when its turn comes, as a pack would."""
    keeper = Remembered(client, seconds=60, count=2)
    await client.zadd(PACKS, {garbage: now - 100})
    every = spread(4, until=now, every_s=2 * SPAN_S)
    for one in every:
        await write(keeper, one)
    assert (await found(keeper, every))[-2:] == [True, True]
    assert await client.zscore(PACKS, garbage) is None
