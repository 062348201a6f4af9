"""Following the catalogue on a real Redis; what is kept, and what is refused."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import redis.asyncio

from contract import catalog as catalogs
from contract import keys
from contract.catalog import Catalog
from gateway.redis_client import connect
from gateway.versions.catalog_feed import CatalogFeed
from tests.gateway import stand
from tests.gateway.waiting import until
from tests.launch import free_ports, redis_server


def catalogue(revision: int) -> Catalog:
    """A catalogue of one model."""
    served = stand.served_model(stand.echo_model("m").served(), name="m")
    return stand.catalogue(served, revision=revision)


@asynccontextmanager
async def following(url: str, snapshot: Path) -> AsyncIterator[CatalogFeed]:
    """A feed that has looked at its snapshot and now follows."""
    async with connect(url, max_connections=4) as client:
        feed = CatalogFeed(client, snapshot)
        feed.start_from_snapshot()
        task = asyncio.create_task(feed.follow())
        try:
            yield feed
        finally:
            task.cancel()
            await asyncio.wait([task])


async def arrival(feed: CatalogFeed, revision: int) -> None:
    """Wait until the feed has this revision."""
    await until(lambda: feed.revision == revision)


async def test_what_is_there_already_is_taken(empty_redis: str, tmp_path: Path) -> None:
    stand.announce(empty_redis, catalogue(7))
    async with following(empty_redis, tmp_path / "c.json") as feed:
        await arrival(feed, 7)
        await until(lambda: feed.connected)
        assert feed.source == "redis"
        assert feed.current is not None
        assert feed.current == msgspec.structs.replace(catalogue(7), written_at=feed.current.written_at)


async def test_a_new_one_is_taken_when_it_is_announced(empty_redis: str, tmp_path: Path) -> None:
    stand.announce(empty_redis, catalogue(7))
    async with following(empty_redis, tmp_path / "c.json") as feed:
        await arrival(feed, 7)
        stand.announce(empty_redis, catalogue(8))
        await arrival(feed, 8)


async def test_a_lost_announcement_only_takes_a_little_longer(empty_redis: str, tmp_path: Path) -> None:
    async with following(empty_redis, tmp_path / "c.json") as feed:
        await until(lambda: feed.connected)
        async with redis.asyncio.Redis.from_url(empty_redis) as client:
            await client.set(keys.CATALOG, catalogs.dump(catalogue(9)))
        await arrival(feed, 9)


async def test_each_new_one_is_prepared_before_it_is_current_and_told_of_once(
    empty_redis: str, tmp_path: Path
) -> None:
    seen: list[tuple[str, int]] = []
    async with connect(empty_redis, max_connections=4) as client:

        def prepare(new: Catalog) -> None:
            seen.append((f"prepared while {feed.revision} is current", new.revision))

        feed = CatalogFeed(client, tmp_path / "c.json", prepare)
        feed.changed = lambda new: seen.append(("current", new.revision))
        for document in (catalogue(1), catalogue(1), catalogue(3), catalogue(2)):
            await client.set(keys.CATALOG, catalogs.dump(document))
            await feed._read()
        again = CatalogFeed(client, tmp_path / "c.json", lambda new: seen.append(("again", new.revision)))
        again.start_from_snapshot()
    assert seen == [
        ("prepared while 0 is current", 1),
        ("current", 1),
        ("prepared while 1 is current", 3),
        ("current", 3),
        ("again", 3),
    ]


@pytest.mark.parametrize(
    "document",
    [b"", b"\xff\xfe", b"{}", b'{"schema": "1.0"}', b'{"schema": "9.0", "revision": 99}', b"[" * 100_000],
    ids=["empty", "not text", "no schema", "fields missing", "another major", "deep"],
)
async def test_garbage_is_refused_and_the_last_good_one_stays(
    empty_redis: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, document: bytes
) -> None:
    stand.announce(empty_redis, catalogue(7))
    async with following(empty_redis, tmp_path / "c.json") as feed:
        await arrival(feed, 7)
        stand.announce(empty_redis, document)
        await until(lambda: "refused a catalogue" in caplog.text)
        assert feed.revision == 7
        stand.announce(empty_redis, catalogue(8))
        await arrival(feed, 8)


async def test_an_older_revision_is_refused(
    empty_redis: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stand.announce(empty_redis, catalogue(7))
    async with following(empty_redis, tmp_path / "c.json") as feed:
        await arrival(feed, 7)
        stand.announce(empty_redis, catalogue(6))
        await until(lambda: "refused catalogue revision 6" in caplog.text)
        assert feed.revision == 7


async def test_a_sync_that_was_upgraded_first_is_followed(empty_redis: str, tmp_path: Path) -> None:
    stand.announce(empty_redis, catalogue(7))
    async with following(empty_redis, tmp_path / "c.json") as feed:
        await arrival(feed, 7)
        newer = msgspec.structs.replace(catalogue(8), schema=f"{catalogs.MAJOR}.{catalogs.MINOR + 1}")
        stand.announce(empty_redis, newer)
        await arrival(feed, 8)


async def test_a_flushed_redis_changes_nothing(empty_redis: str, tmp_path: Path) -> None:
    stand.announce(empty_redis, catalogue(7))
    async with following(empty_redis, tmp_path / "c.json") as feed:
        await arrival(feed, 7)
        async with redis.asyncio.Redis.from_url(empty_redis) as client:
            await client.flushall()
            await client.publish(keys.CATALOG, "0")
        stand.announce(empty_redis, catalogue(8))
        await arrival(feed, 8)


async def test_the_next_run_starts_from_the_snapshot_when_redis_is_away(
    empty_redis: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = tmp_path / "home" / "catalog.json"
    stand.announce(empty_redis, catalogue(7))
    async with following(empty_redis, snapshot) as feed:
        await arrival(feed, 7)
        await until(snapshot.exists)
    nowhere = f"redis://127.0.0.1:{free_ports(1)[0]}"
    with caplog.at_level(logging.WARNING):
        async with following(nowhere, snapshot) as feed:
            assert (feed.revision, feed.source) == (7, "snapshot")
            await until(lambda: "cannot be followed" in caplog.text)
            assert not feed.connected
    assert [path.name for path in snapshot.parent.iterdir()] == ["catalog.json"]


async def test_a_newer_catalogue_replaces_the_snapshots(empty_redis: str, tmp_path: Path) -> None:
    snapshot = tmp_path / "catalog.json"
    snapshot.write_bytes(catalogs.dump(catalogue(7)))
    stand.announce(empty_redis, catalogue(8))
    async with following(empty_redis, snapshot) as feed:
        await arrival(feed, 8)
        await until(lambda: catalogs.parse(snapshot.read_bytes()).revision == 8)


async def test_a_bad_snapshot_is_no_obstacle(empty_redis: str, tmp_path: Path) -> None:
    snapshot = tmp_path / "catalog.json"
    snapshot.write_bytes(b"half a catal")
    stand.announce(empty_redis, catalogue(7))
    async with following(empty_redis, snapshot) as feed:
        assert feed.current is None
        await arrival(feed, 7)


async def test_a_snapshot_that_cannot_be_written_is_no_obstacle(
    empty_redis: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    stand.announce(empty_redis, catalogue(7))
    async with following(empty_redis, tmp_path / "file" / "catalog.json") as feed:
        await arrival(feed, 7)
        await until(lambda: "snapshot cannot be written" in caplog.text)


async def test_redis_may_come_after_us_and_go_and_come_back(tmp_path: Path) -> None:
    with redis_server(tmp_path / "one") as url:
        stand.announce(url, catalogue(7))
        async with following(url, tmp_path / "c.json") as feed:
            await arrival(feed, 7)
            async with redis.asyncio.Redis.from_url(url) as client:
                for kind in ("pubsub", "normal"):
                    await client.client_kill_filter(_type=kind, skipme=True)
            stand.announce(url, catalogue(8))
            await arrival(feed, 8)
            await until(lambda: feed.connected)
