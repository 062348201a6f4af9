"""This process's records of its versions."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio

from contract import keys
from contract.version_record import COARSE, FINE, VersionRecord, merge_windows
from gateway.domain import Covariance, Fix, Options
from gateway.errors import BadAnswer, DeadlineExceeded, InvalidInput, Unavailable
from gateway.prediction import CacheOutcome, Prediction, derive
from gateway.redis_client import connect
from gateway.versions import records as version_records
from gateway.versions.comparison import Comparison
from gateway.versions.records import VersionRecords
from tests.gateway.conftest import Clock
from tests.gateway.telemetry.noted import predicted
from tests.launch import free_ports

START = 1_700_000_400.0


def prediction(version: int = 1, *, ms: float = 5.0, cache: CacheOutcome = "miss") -> Prediction:
    """An answer; σ 300 m along the major axis."""
    fix = Fix(45.0, 9.0, Covariance(300.0**2, 100.0**2, 0.0))
    derived = derive(fix, sigma_scale=1.0, level=0.95, radius_m=1.0)
    return Prediction("id", "m", version, derived, Options(confidence_level=0.95), cache, ms, START)


@pytest.fixture
def clock() -> Clock:
    made = Clock()
    made.now = START
    return made


@pytest.fixture
async def client(empty_redis: str) -> AsyncIterator["redis.asyncio.Redis"]:
    made = connect(empty_redis, max_connections=4)
    yield made
    await made.aclose()


async def test_what_was_counted_is_read_back(client: "redis.asyncio.Redis", clock: Clock) -> None:
    records = VersionRecords(client, clock=clock)
    for outcome in ("miss", "hit", "hit", "bypass"):
        predicted(records, prediction(cache=outcome))
    records.failed("m", 1, BadAnswer("NaN"))
    records.failed("m", 1, InvalidInput("no"))
    hurried = DeadlineExceeded("within a time of the client's own")
    hurried.own_deadline = True
    records.failed("m", 1, hurried)
    records.failed("m", 1, DeadlineExceeded("within all the time there is"))
    records.fell_back("m", 2, 3)
    records.compared("m", 2, Comparison(120.0, 0.8, 300.0))
    records.mirror_took("m", 2, 4.0)
    records.mirror_failed("m", 2, Unavailable("away"))
    records.skipped("m", 2, "busy")
    await records.flush()
    found = await records.read("m", 60.0)
    first, second = found[1], found[2]
    errors = {"BadAnswer": 1, "InvalidInput": 1, "OwnDeadline": 1, "DeadlineExceeded": 1}
    assert (first.answered, first.errors, first.requests) == (4, errors, 8)
    assert first.faults == 2
    assert first.hit_rate == pytest.approx(2 / 3)
    assert first.latency_ms.quantile(0.99) == pytest.approx(5.0, rel=0.02)
    assert first.semi_major_m.mean == pytest.approx(300.0)
    assert (second.fell_back, second.mirrored, second.skipped) == (3, 1, {"busy": 1})
    assert second.mirror_errors == {"Unavailable": 1}
    assert second.relative_shift == pytest.approx(0.4, rel=0.05)
    assert second.overlap.mean == pytest.approx(0.8)
    assert await records.read("other", 60.0) == {}


async def test_processes_and_windows_add_up(client: "redis.asyncio.Redis", clock: Clock) -> None:
    one, other = VersionRecords(client, clock=clock), VersionRecords(client, clock=clock)
    for at in (START, START + FINE.window_s, START + 2 * FINE.window_s):
        clock.now = at
        for records in (one, other):
            await records.flush()
            predicted(records, prediction())
            await records.flush()
    clock.now += 1
    assert (await one.read("m", 60.0))[1].answered == 6
    assert (await one.read("m", 1.0))[1].answered == 2


async def test_the_coarse_series_reaches_further_back(client: "redis.asyncio.Redis", clock: Clock) -> None:
    records = VersionRecords(client, clock=clock)
    for step in range(3):
        clock.now = START + step * COARSE.window_s
        await records.flush()
        predicted(records, prediction())
    clock.now += FINE.window_s
    await records.flush()
    assert (await records.read("m", 86_400.0))[1].answered == 3
    window: Any = await client.hgetall(keys.version_records("m", COARSE.window_s, int(START)))
    assert [record.answered for record in merge_windows([window]).values()] == [1]


async def test_every_window_expires(client: "redis.asyncio.Redis", clock: Clock) -> None:
    records = VersionRecords(client, clock=clock)
    predicted(records, prediction())
    await records.flush()
    clock.now += FINE.window_s
    await records.flush()
    names = [name async for name in client.scan_iter("fixgate:record:*")]
    assert len(names) == 2
    for name in names:
        assert 0 < await client.ttl(name) <= COARSE.keep_s + COARSE.window_s


async def test_what_has_not_changed_is_not_written_again(client: "redis.asyncio.Redis", clock: Clock) -> None:
    records = VersionRecords(client, clock=clock)
    predicted(records, prediction())
    await records.flush()
    await client.flushall()
    await records.flush()
    assert await client.dbsize() == 0


async def test_redis_away_costs_only_what_does_not_fit(
    client: "redis.asyncio.Redis",
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The newest are kept; one line says so; and they are written when Redis is back."""
    monkeypatch.setattr(version_records, "PENDING", 2)
    nowhere = connect(f"redis://127.0.0.1:{free_ports(1)[0]}", max_connections=1)
    records = VersionRecords(nowhere, clock=clock)
    for version in (1, 2, 3):
        predicted(records, prediction(version))
    await records.flush()
    await records.flush()
    assert records.dropped == 1
    assert caplog.text.count("cannot be written") == 1
    with pytest.raises(Unavailable):
        await records.read("m", 60.0)
    records._redis = client
    await records.flush()
    assert len(await records.read("m", 60.0)) == 2
    await nowhere.aclose()


async def test_garbage_in_redis_is_passed_over(client: "redis.asyncio.Redis", clock: Clock) -> None:
    records = VersionRecords(client, clock=clock)
    await client.hset(keys.version_records("m", FINE.window_s, FINE.start(START)), "1/x", b"garbage")
    predicted(records, prediction())
    await records.flush()
    assert (await records.read("m", 10.0))[1] == VersionRecord(
        answered=1,
        looked_up=1,
        latency_ms=records._now["m", 1].latency_ms,
        semi_major_m=records._now["m", 1].semi_major_m,
    )
