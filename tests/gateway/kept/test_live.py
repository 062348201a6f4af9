"""The feed of fixes: through Redis, from where a watcher was, without Redis, and under a flood."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.domain import Covariance, Fix, Options
from gateway.errors import Unavailable
from gateway.kept.live import BURST, FIELD, STREAM, WATCHERS, Live, News, parse_position
from gateway.prediction import Prediction, derive
from gateway.redis_client import connect
from gateway.wire.identifier import uuid7
from gateway.wire.live_document import live_documents
from tests.gateway.waiting import until
from tests.launch import free_ports


def prediction(latitude: float = 45.0, longitude: float = 9.0) -> Prediction:
    """One prediction, σ 10 km east and 5 km north."""
    fix = Fix(latitude, longitude, Covariance(1e8, 2.5e7, 0.0))
    derived = derive(fix, sigma_scale=1.0, level=0.68, radius_m=1000)
    return Prediction(uuid7(), "m", 2, derived, Options(session_id="s"), "miss", 4.0, 1.8e9)


@pytest.fixture
async def live(empty_redis: str) -> AsyncIterator[Live]:
    """One gateway's, with its writer at work."""
    async with connect(empty_redis, max_connections=8) as client:
        one = Live(client, seconds=3600)
        writing = asyncio.create_task(one.writer.run())
        yield one
        writing.cancel()
        await asyncio.wait([writing])


@pytest.fixture
async def cut_off() -> AsyncIterator[Live]:
    """One gateway's whose Redis is away."""
    async with connect(f"redis://127.0.0.1:{free_ports(1)[0]}", max_connections=8) as client:
        yield Live(client, seconds=3600)


async def until_some(live: Live, news: "AsyncIterator[News]") -> News:
    """The next news that has fixes."""
    async with asyncio.timeout(30):
        async for one in news:
            if one.fixes:
                return one
    raise AssertionError("the feed ended")


async def test_a_watcher_sees_what_was_made_and_then_what_is_made_by_any_gateway(
    live: Live, empty_redis: str
) -> None:
    before, after = prediction(), prediction()
    live.put([before], {"parse": 1.0})
    async with connect(empty_redis, max_connections=4) as client:
        watched = Live(client, seconds=3600)

        async def written() -> bool:
            return bool(await client.exists(STREAM))

        await until(written)
        news = watched.follow(None, 10)
        first = await until_some(watched, news)
        assert [one.id for one in first.fixes] == [before.id]
        assert first.shared
        assert first.fixes[0].stages_ms == {"parse": 1.0}
        live.put([after], {})
        second = await until_some(watched, news)
        assert [one.id for one in second.fixes] == [after.id]
        await news.aclose()
        again = watched.follow(first.position, 10)
        assert [one.id for one in (await until_some(watched, again)).fixes] == [after.id]
        await again.aclose()
        assert watched.watchers == 0


async def test_without_redis_a_watcher_sees_what_this_gateway_makes(cut_off: Live) -> None:
    before, after = prediction(), prediction()
    cut_off.put([before], {})
    news = cut_off.follow(None, 10)
    first = await until_some(cut_off, news)
    assert ([one.id for one in first.fixes], first.shared) == ([before.id], False)
    cut_off.put([after], {})
    assert [one.id for one in (await until_some(cut_off, news)).fixes] == [after.id]
    await news.aclose()


async def test_of_a_flood_only_so_many_are_handed_over_and_the_rest_counted(cut_off: Live) -> None:
    flood = [prediction() for _ in range(int(BURST) + 100)]
    cut_off.put(flood, {})
    assert BURST <= len(cut_off.writer.pending) < BURST + 100
    left_out = len(flood) - len(cut_off.writer.pending)
    async with asyncio.timeout(30):
        while cut_off.writer.pending[-1].passed_over < left_out:
            cut_off.put([prediction()], {})
            await asyncio.sleep(0.01)


async def test_closing_ends_every_feed_and_too_many_watchers_are_refused(cut_off: Live) -> None:
    feeds = [cut_off.follow(None, 1) for _ in range(WATCHERS)]
    for one in feeds:
        await anext(one)
    with pytest.raises(Unavailable, match="watchers"):
        await anext(cut_off.follow(None, 1))
    cut_off.close()
    for one in feeds:
        async with asyncio.timeout(30):
            assert [news async for news in one if news.fixes] == []
    assert cut_off.watchers == 0


async def test_garbage_in_the_stream_is_passed_over(live: Live, empty_redis: str) -> None:
    async with connect(empty_redis, max_connections=1) as client:
        await client.xadd(STREAM, {FIELD: b"{"})
        await client.xadd(STREAM, {b"other": b"1"})
    good = prediction()
    live.put([good], {})
    news = live.follow(None, 10)
    assert [one.id for one in (await until_some(live, news)).fixes] == [good.id]
    await news.aclose()


@pytest.mark.parametrize("text", ["", "1", "1-", "-1", "a-1", "1-1-1", "1" * 19 + "-0", "١-0"])
def test_what_is_no_position_is_none(text: str) -> None:
    assert parse_position(text) is None


async def test_outlines_have_as_many_decimals_as_they_need_and_are_cut_where_maps_end(cut_off: Live) -> None:
    cut_off.put([prediction(), prediction(0.0, 179.99)], {})
    plain, across = live_documents([one for _, one in cut_off._made], 0.95)
    assert plain["ellipse"]["confidence_level"] == 0.95
    assert len(plain["outline"]) == 1
    assert max(len(str(value).partition(".")[2]) for value in plain["outline"][0]) <= 5
    assert len(across["outline"]) == 2
    assert all(-180 <= value <= 180 for ring in across["outline"] for value in ring)
