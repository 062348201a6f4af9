"""The catalogue reaches Redis, and outlives both Redis and sync."""

import logging
import time
from pathlib import Path

import pytest
import redis

from contract import catalog as catalogs
from contract import keys
from contract.catalog import ServedModel
from contract.deployment import Deployment
from contract.deployment import parse as parse_entry
from sync.feed import Feed

LOC = {"loc": ServedModel("loc", (), {"champion": 1})}
MOVED = {"loc": ServedModel("loc", (), {"champion": 2})}
DOWN = "redis://127.0.0.1:1/0"


def feed(url: str, folder: Path, default: str | None = None) -> Feed:
    made = Feed(url, folder / "catalog.json", default)
    made.start()
    return made


def in_redis(url: str) -> catalogs.Catalog | None:
    with redis.Redis.from_url(url) as client:
        document = client.get(keys.CATALOG)
    return catalogs.parse(document) if isinstance(document, bytes) else None


def test_a_catalogue_is_published_with_a_notification(empty_redis: str, tmp_path: Path) -> None:
    with redis.Redis.from_url(empty_redis) as client, client.pubsub() as channel:
        channel.subscribe(keys.CATALOG)
        assert channel.get_message(timeout=5)
        one = feed(empty_redis, tmp_path)
        assert one.update(LOC, now=1000.0)
        message = channel.get_message(timeout=5)
        one.close()
    published = in_redis(empty_redis)
    assert published is not None
    assert published.models == LOC
    assert message is not None
    assert int(message["data"]) == published.revision == 1_000_001


def test_the_same_models_are_not_published_twice(empty_redis: str, tmp_path: Path) -> None:
    one = feed(empty_redis, tmp_path)
    assert [one.update(LOC, 1000.0), one.update(LOC, 1001.0), one.update(MOVED, 1002.0)] == [
        True,
        False,
        True,
    ]
    one.close()


def test_the_only_model_is_the_default_unless_told(empty_redis: str, tmp_path: Path) -> None:
    for default, found in ((None, "loc"), ("other", "other")):
        one = feed(empty_redis, tmp_path, default)
        one.update(LOC, 1000.0)
        assert one.last is not None
        assert one.last.default_model == found
        one.close()


def test_a_catalogue_that_another_sync_has_written_is_replaced(
    empty_redis: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = feed(empty_redis, tmp_path)
    one.update(LOC, 1000.0)
    (tmp_path / "elsewhere").mkdir()
    other = feed(empty_redis, tmp_path / "elsewhere")
    other.update({}, 1001.0)
    assert not one.update(LOC, 1002.0)
    assert "two of them must not share one Redis" in caplog.text
    published = in_redis(empty_redis)
    assert published == one.last
    assert published is not None
    assert published.models == LOC
    assert other.last is not None
    assert published.revision > other.last.revision
    one.close()
    other.close()


def test_it_is_known_whether_gateways_can_have_heard(empty_redis: str, tmp_path: Path) -> None:
    one = feed(DOWN, tmp_path)
    one.update(LOC, 1000.0)
    assert not one.told
    one.close()
    again = feed(empty_redis, tmp_path)
    assert not again.told
    again.update(LOC, 1001.0)
    assert again.told
    with redis.Redis.from_url(empty_redis) as client:
        client.execute_command("ACL", "SETUSER", "default", "-set")
        try:
            again.update(MOVED, 1002.0)
            assert not again.told
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+set")
    again.update(MOVED, 1003.0)
    assert again.told
    again.close()


def test_a_second_model_does_not_take_the_default_away(empty_redis: str, tmp_path: Path) -> None:
    one = feed(empty_redis, tmp_path)
    two = {"another": LOC["loc"], **LOC}
    told = []
    for models in (two, LOC, two, {"another": LOC["loc"], "third": LOC["loc"]}, {"third": LOC["loc"]}):
        one.update(models, 1000.0)
        assert one.last is not None
        told.append(one.last.default_model)
    assert told == [None, "loc", "loc", None, "third"]
    one.update(LOC, 1000.0)
    one.close()
    again = feed(empty_redis, tmp_path)  # a restart remembers
    again.start()
    again.update(two, 1001.0)
    assert again.last is not None
    assert again.last.default_model == "loc"
    again.close()


def test_what_redis_has_lost_is_published_again(empty_redis: str, tmp_path: Path) -> None:
    one = feed(empty_redis, tmp_path)
    one.update(LOC, 1000.0)
    with redis.Redis.from_url(empty_redis) as client:
        client.flushall()
    assert not one.update(LOC, 1001.0)
    assert in_redis(empty_redis) == one.last
    one.close()


@pytest.mark.parametrize("document", ["rubbish", '{"schema": "9.0"}'])
def test_an_unreadable_catalogue_in_redis_is_replaced(
    empty_redis: str, tmp_path: Path, document: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = feed(empty_redis, tmp_path)
    one.update(LOC, 1000.0)
    with redis.Redis.from_url(empty_redis) as client:
        client.set(keys.CATALOG, document)
    with caplog.at_level(logging.WARNING):
        one.update(LOC, 1001.0)
    assert in_redis(empty_redis) == one.last
    assert "unreadable" in caplog.text
    one.close()


def test_the_next_process_goes_on_from_the_file(empty_redis: str, tmp_path: Path) -> None:
    one = feed(empty_redis, tmp_path)
    one.update(LOC, 1000.0)
    one.close()
    with redis.Redis.from_url(empty_redis) as client:
        client.flushall()
    again = feed(empty_redis, tmp_path)
    assert again.last == one.last
    assert not again.update(LOC, 1001.0)
    again.close()


def test_a_process_without_its_file_goes_on_from_redis(empty_redis: str, tmp_path: Path) -> None:
    one = feed(empty_redis, tmp_path)
    one.update(LOC, 1000.0)
    one.close()
    (tmp_path / "catalog.json").write_text("{")
    again = feed(empty_redis, tmp_path)
    assert again.last == one.last
    again.close()


def test_revisions_grow_even_when_the_clock_goes_back(empty_redis: str, tmp_path: Path) -> None:
    one = feed(empty_redis, tmp_path)
    one.update(LOC, 2000.0)
    one.update(MOVED, 1000.0)
    assert one.last is not None
    assert one.last.revision == 2_000_002
    one.close()
    (tmp_path / "catalog.json").unlink()
    behind = Feed(empty_redis, tmp_path / "catalog.json", None)
    behind.update(LOC, 1000.0)
    assert behind.last is not None
    assert behind.last.revision == 2_000_003
    behind.close()


def test_a_home_that_cannot_be_written_keeps_nothing_from_the_gateways(
    empty_redis: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = Feed(empty_redis, tmp_path / "gone" / "catalog.json", None)
    assert one.update(LOC, 1000.0)
    assert in_redis(empty_redis) == one.last
    assert "in Redis only" in caplog.text
    one.close()


def test_without_redis_the_catalogue_is_in_the_file_and_the_pass_goes_on_soon(tmp_path: Path) -> None:
    started = time.monotonic()
    one = feed(DOWN, tmp_path)
    assert one.update(LOC, 1000.0)
    one.add_to_journal(Deployment(1.0, "publish", "loc"))
    assert not one.connected
    assert catalogs.parse((tmp_path / "catalog.json").read_bytes()).models == LOC
    assert time.monotonic() - started < 30
    one.close()


def test_the_journals_newest_entries_are_in_redis(empty_redis: str, tmp_path: Path) -> None:
    one = feed(empty_redis, tmp_path)
    entry = Deployment(1.0, "publish", "loc", version=3)
    one.add_to_journal(entry)
    one.close()
    with redis.Redis.from_url(empty_redis) as client:
        ((_, fields),) = client.xrange(keys.JOURNAL)
    assert parse_entry(fields[b"entry"]) == entry
