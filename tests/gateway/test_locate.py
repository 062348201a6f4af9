"""Finding fixes with as few computations as possible."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from gateway import admission
from gateway.errors import BadAnswer, InvalidInput, Overloaded, Unavailable
from gateway.locate import Found, Locator
from gateway.pipeline import Canonical, Pipeline
from gateway.priority import Priority
from gateway.telemetry.stopwatch import Stopwatch
from tests.gateway import stand as models
from tests.gateway.fakes import Stand, pipeline, row
from tests.gateway.waiting import settle


@pytest.fixture
def stand() -> Iterator[Stand]:
    with ThreadPoolExecutor(2) as threads:
        yield Stand(threads)


async def one(
    locator: Locator, canonical: Canonical, at: Pipeline | None = None, *, cached: bool = True
) -> Found:
    """One input's fix."""
    return await locator.one(at or pipeline(), canonical, cached=cached, watch=Stopwatch())


async def many(locator: Locator, *canonicals: Canonical, cached: bool = True) -> list[Found]:
    """Many inputs' fixes."""
    return await locator.many(pipeline(), canonicals, cached=cached, watch=Stopwatch())


def outcomes(found: list[Found]) -> list[object]:
    """Where each came from, or the error's class."""
    return [type(one) if isinstance(one, Exception) else one[1] for one in found]


async def test_the_second_time_it_is_a_hit(stand: Stand) -> None:
    first, second = await one(stand.locator, row()), await one(stand.locator, row())
    assert outcomes([first, second]) == ["miss", "hit"]
    assert not isinstance(first, Exception)
    assert not isinstance(second, Exception)
    assert first[0] == second[0]
    assert len(stand.backend.calls) == 1


async def test_another_process_finds_it_in_the_shared_cache(stand: Stand) -> None:
    await one(stand.locator, row())
    assert outcomes([await one(stand.another_process(), row())]) == ["hit"]
    assert len(stand.backend.calls) == 1


@pytest.mark.parametrize(
    "other",
    [pipeline(digest="f" * 64), pipeline(contract=models.mel_model("m", 1).contract)],
    ids=["artifact", "contract"],
)
async def test_a_hit_is_never_another_versions(stand: Stand, other: Pipeline) -> None:
    await one(stand.locator, row())
    assert outcomes([await one(stand.locator, row(), other)]) == ["miss"]


async def test_asked_not_to_cache_it_neither_looks_nor_keeps(stand: Stand) -> None:
    found = [await one(stand.locator, row(), cached=cached) for cached in (False, True, False)]
    assert outcomes(found) == ["bypass", "miss", "bypass"]
    assert len(stand.backend.calls) == 3


async def test_identical_concurrent_requests_share_one_computation(stand: Stand) -> None:
    stand.backend.gate.clear()
    tasks = [asyncio.create_task(one(stand.locator, row())) for _ in range(5)]
    await settle()
    stand.backend.gate.set()
    assert outcomes(await asyncio.gather(*tasks)) == ["miss", *["coalesced"] * 4]
    assert [rows for _, rows in stand.backend.calls] == [1]


async def test_requests_that_wait_leave_in_one_call_and_keep_their_own_answers(stand: Stand) -> None:
    stand.backend.gate.clear()
    tasks = [asyncio.create_task(one(stand.locator, row(40.0 + i))) for i in range(6)]
    await settle()
    stand.backend.gate.set()
    found = await asyncio.gather(*tasks)
    assert [rows for _, rows in stand.backend.calls] == [1, 5]
    latitudes = [one[0].latitude for one in found if not isinstance(one, Exception)]
    assert latitudes == [40.0 + i for i in range(6)]


async def test_a_failure_is_not_kept(stand: Stand) -> None:
    stand.backend.error = Unavailable("down")
    assert outcomes([await one(stand.locator, row())]) == [Unavailable]
    stand.backend.error = None
    assert outcomes([await one(stand.locator, row())]) == ["miss"]


async def test_an_unusable_row_fails_alone(stand: Stand) -> None:
    found = await many(stand.locator, row(), row(np.nan), row(46.0))
    assert outcomes(found) == ["miss", BadAnswer, "miss"]
    assert outcomes(await many(stand.locator, row(), row(np.nan), row(46.0))) == ["hit", BadAnswer, "hit"]


async def test_equal_items_of_a_batch_are_computed_once(stand: Stand) -> None:
    found = await many(stand.locator, row(), row(46.0), row(), row())
    assert outcomes(found) == ["miss", "miss", "coalesced", "coalesced"]
    assert [rows for _, rows in stand.backend.calls] == [2]


async def test_cached_items_of_a_batch_are_not_computed_again(stand: Stand) -> None:
    await many(stand.locator, row(), row(46.0))
    assert outcomes(await many(stand.locator, row(46.0), row(47.0), row())) == ["hit", "miss", "hit"]
    assert [rows for _, rows in stand.backend.calls] == [2, 1]


async def test_a_batch_larger_than_a_call_goes_in_several(stand: Stand) -> None:
    found = await many(stand.locator, *(row(10.0 + i) for i in range(2 * models.MAX_BATCH + 1)))
    assert outcomes(found) == ["miss"] * 17
    assert [rows for _, rows in stand.backend.calls] == [6, 6, 5]


async def test_a_failed_call_fails_its_own_items_of_a_batch(stand: Stand) -> None:
    stand.backend.error = Unavailable("down")
    found = await many(stand.locator, row(), row(46.0), cached=False)
    assert outcomes(found) == [Unavailable, Unavailable]


async def test_a_fault_of_the_program_is_not_hidden_as_an_items_error(stand: Stand) -> None:
    stand.backend.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await many(stand.locator, row())


async def test_rows_of_different_shapes_travel_apart(stand: Stand) -> None:
    longer = np.concatenate([row(), np.zeros(1, np.float32)])
    found = await many(stand.locator, row(), longer, row(46.0), cached=False)
    assert outcomes(found) == ["bypass", BadAnswer, "bypass"]
    assert [(lane.shape, rows) for lane, rows in stand.backend.calls] == [((5,), 2), ((6,), 1)]


async def test_iq_goes_through_the_front_end_and_its_errors_are_the_items(stand: Stand) -> None:
    """The echo backend cannot answer a spectrogram, so what is seen here is which rows were sent."""
    model = models.mel_model("mel", 1)
    mel = Pipeline("mel", model.served())
    canonicals = [models.iq(1), models.iq(2, samples=10)]
    found = await stand.locator.many(mel, canonicals, cached=False, watch=Stopwatch())
    assert isinstance(found[1], InvalidInput)
    assert [(lane.shape, rows) for lane, rows in stand.backend.calls] == [((3, 8, 4), 1)]


@pytest.mark.parametrize("patience_s", [0.0, 60.0])
async def test_a_call_that_the_last_has_left_keeps_its_place_until_it_is_answered_or_overdue(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> None:
    """Triton works on it all the same; but one that is never answered must not be in others' way for ever."""
    monkeypatch.setattr(admission, "PATIENCE_S", patience_s)
    stand.backend.gate.clear()
    tasks = [asyncio.create_task(one(stand.locator, row())) for _ in range(2)]
    waiting = asyncio.create_task(one(stand.locator, row(46.0)))
    await settle()
    assert stand.locator.waiting() == 1
    for task in tasks:
        task.cancel()
    await settle()
    station = stand.locator._admission.station("echo", 1)
    overdue = not patience_s
    assert [rows for _, rows in stand.backend.calls] == ([1, 1] if overdue else [1])
    assert (stand.locator.waiting(), station.idle) == (0 if overdue else 1, False)
    assert station._whole.known is overdue
    stand.backend.gate.set()
    assert outcomes([await waiting]) == ["miss"]
    assert [rows for _, rows in stand.backend.calls] == [1, 1]
    assert station.unused


async def under_way(stand: Stand, *, takes_s: float) -> "asyncio.Task[Found]":
    """A request whose call is under way at a backend whose calls take so long."""
    station, now = stand.locator._admission.station("echo", 1), asyncio.get_running_loop().time()
    station.ended(station.began([Priority.INTERACTIVE], now - takes_s), now, answered=True)
    stand.backend.gate.clear()
    task = asyncio.create_task(one(stand.locator, row(40.0)))
    await settle()
    return task


async def in_time(locator: Locator, canonical: Canonical, left_s: float) -> Found:
    """One input's fix, before a deadline."""
    deadline = asyncio.get_running_loop().time() + left_s
    return await locator.one(pipeline(), canonical, cached=True, watch=Stopwatch(), deadline=deadline)


async def test_whoever_joined_a_flight_is_not_refused_for_the_deadline_of_the_one_who_began_it(
    stand: Stand,
) -> None:
    """Nor of one who joined, as they did, and then began another; and the rest share one computation."""
    first = await under_way(stand, takes_s=10.0)
    lefts = (5.0, 5.0, 300.0, 300.0, 300.0)
    tasks = [asyncio.create_task(in_time(stand.locator, row(41.0), left_s)) for left_s in lefts]
    await settle()
    stand.backend.gate.set()
    hurried = await asyncio.gather(*tasks[:2], return_exceptions=True)
    assert [isinstance(one, Overloaded) and one.for_deadline for one in hurried] == [True, True]
    assert outcomes(await asyncio.gather(*tasks[2:])) == ["miss", "coalesced", "coalesced"]
    assert outcomes([await first]) == ["miss"]
    assert [rows for _, rows in stand.backend.calls] == [1, 1]


async def test_whoever_joined_a_flight_is_refused_for_what_holds_for_all(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The objective: to ask again, one after the other, would only cost time."""
    first = await under_way(stand, takes_s=50.0)
    flown = 0
    fly = Locator._fly

    async def counted(*given: Any) -> Found:
        nonlocal flown
        flown += 1
        return await fly(*given)

    monkeypatch.setattr(Locator, "_fly", counted)
    tasks = [asyncio.create_task(in_time(stand.locator, row(41.0), 300.0)) for _ in range(5)]
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, Overloaded) and not one.for_deadline for one in found] == [True] * 5
    assert flown == 1
    stand.backend.gate.set()
    assert outcomes([await first]) == ["miss"]


async def test_a_row_alone_gets_its_own_error_beside_others_of_its_call(stand: Stand) -> None:
    stand.backend.gate.clear()
    tasks = [
        asyncio.create_task(one(stand.locator, canonical, cached=cached))
        for cached in (True, False)
        for canonical in (row(40.0), row(np.nan), row(41.0))
    ]
    await settle()
    stand.backend.gate.set()
    found = await asyncio.gather(*tasks)
    assert outcomes(found) == ["miss", BadAnswer, "miss", "bypass", BadAnswer, "bypass"]
    assert sum(rows for _, rows in stand.backend.calls) == 6


async def test_a_fault_of_the_program_reaches_a_row_alone(stand: Stand) -> None:
    stand.backend.error = ZeroDivisionError()
    for cached in (True, False):
        with pytest.raises(ZeroDivisionError):
            await one(stand.locator, row(), cached=cached)
    stand.backend.error = None
    assert outcomes([await one(stand.locator, row())]) == ["miss"]


@pytest.mark.parametrize("cached", [True, False])
async def test_a_row_alone_that_is_cancelled_leaves_the_queue_and_holds_no_place(
    stand: Stand, *, cached: bool
) -> None:
    stand.backend.gate.clear()
    under_way, waits, stays = (
        asyncio.create_task(one(stand.locator, row(40.0 + number), cached=cached)) for number in range(3)
    )
    await settle()
    station = stand.locator._admission.station("echo", 1)
    assert (stand.locator.waiting(), sum(station._rows)) == (2, 3)
    waits.cancel()
    await settle()
    assert (stand.locator.waiting(), sum(station._rows)) == (1, 2)
    stand.backend.gate.set()
    assert len(outcomes([await under_way, await stays])) == 2
    assert waits.cancelled()
    assert [rows for _, rows in stand.backend.calls] == [1, 1]
    assert (stand.locator.waiting(), sum(station._rows)) == (0, 0)


async def test_the_stopwatch_sees_the_stages(stand: Stand) -> None:
    watch = Stopwatch()
    await stand.locator.one(pipeline(), row(), cached=True, watch=watch)
    assert list(watch.stages_ms()) == ["read", "cache", "frontend", "queue", "triton"]
