"""Steps of ten seconds: what goes into them, how those of many gateways add up, what is forgotten."""

import asyncio
import time

import msgspec
import pytest
import redis.asyncio

from gateway.redis_client import connect
from gateway.telemetry.history import STEP_S, STEPS, History, Step, merged, whole
from gateway.telemetry.history_share import HistoryShare
from tests.gateway.telemetry.noted import asked, predicted
from tests.gateway.waiting import until
from tests.gateway.wire.test_response import prediction
from tests.launch import free_ports

NOW = 1_800_000_000.0


def filled(now: float = NOW) -> History:
    """Four requests in one step."""
    history = History()
    for status, seconds in ((200, 0.010), (200, 0.020), (404, 0.001), (503, 0.600)):
        asked(history, status, seconds, at=now)
    predicted(history, prediction(cache="hit", at=now), prediction(cache="miss", at=now))
    history.queued(now, 7)
    history.queued(now, 3)
    return history


def test_a_step_tells_faults_from_refusals_and_keeps_the_longest_queue() -> None:
    (step,) = filled().steps(NOW)
    assert (step.requests, step.errors, step.refused, step.hits, step.looked_up, step.queue) == (
        4,
        1,
        1,
        1,
        2,
        7,
    )
    assert step.times_ms.quantile(0.5) == pytest.approx(10, rel=0.02)


def test_steps_of_the_same_time_add_up_and_an_idle_one_is_not_there() -> None:
    first, second = filled(), filled()
    asked(second, 200, 0.5, at=NOW + 2 * STEP_S)
    steps = merged([*first.steps(NOW), *second.steps(NOW)])
    assert [(one.at - int(NOW), one.requests) for one in steps] == [(0, 8), (20, 1)]
    everything = whole(steps)
    assert (everything.requests, everything.errors, everything.queue) == (9, 2, 14)


def test_what_is_older_than_fifteen_minutes_is_forgotten() -> None:
    history = filled()
    assert history.steps(NOW + STEPS * STEP_S) == []
    for number in range(3 * STEPS):
        asked(history, 200, 0.001, at=NOW + number * STEP_S)
    assert len(history.steps(NOW + 3 * STEPS * STEP_S)) < STEPS


def test_after_the_clock_was_set_back_steps_are_those_of_the_new_time() -> None:
    history = filled()
    asked(history, 200, 0.010, at=NOW - 3600)
    assert [(step.at, step.requests) for step in history.steps(NOW - 3600)] == [(int(NOW) - 3600, 1)]


async def test_gateways_read_each_others_steps_and_their_own_alone_without_redis(empty_redis: str) -> None:
    async with connect(empty_redis, max_connections=4) as client:
        now = float(int(time.time()))
        theirs = HistoryShare(client, filled(now - 2 * STEP_S), lambda: 0)
        writing = asyncio.create_task(theirs.run())
        ours = HistoryShare(client, filled(now - 2 * STEP_S), lambda: 0)

        async def heard() -> bool:
            return (await ours.read(now))[1] == 2

        await until(heard)
        writing.cancel()
        await asyncio.wait([writing])
        steps, gateways, shared = await ours.read(now)
        assert (whole(steps).requests, gateways, shared) == (8, 2, True)
        await client.xadd("fixgate:history", {b"steps": b"no step"})
        assert (await ours.read(now))[1] == 2
    away: redis.asyncio.Redis = connect(f"redis://127.0.0.1:{free_ports(1)[0]}", max_connections=1)
    alone = HistoryShare(away, filled(now), lambda: 0)
    steps, gateways, shared = await alone.read(now)
    assert (whole(steps).requests, gateways, shared) == (4, 1, False)
    await away.aclose()


def test_a_step_survives_its_way_through_json() -> None:
    (step,) = filled().steps(NOW)
    assert msgspec.json.decode(msgspec.json.encode(step), type=Step) == step
