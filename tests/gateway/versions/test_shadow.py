"""Copies of answered recordings for the versions that are compared with the champion."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from contract.catalog import RoutePolicy, ServedModel, ServedVersion, TensorSpec
from gateway.domain import Covariance, Fix, PredictRequest, Recording
from gateway.errors import BadAnswer, FixgateError, Overloaded, Unavailable
from gateway.locate import Found
from gateway.pipeline import Canonical, Pipeline
from gateway.telemetry.stopwatch import Stopwatch
from gateway.uncertainty.geodesy import offset
from gateway.versions import shadow
from gateway.versions.comparison import Comparison
from gateway.versions.routing import Route, route
from gateway.versions.shadow import Shadow
from tests.gateway.fakes import ECHO, asked, row
from tests.gateway.waiting import until

ANSWER = Fix(45.0, 9.0, Covariance(4e4, 1e4, 0.0))


class Findings:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.comparisons: list[tuple[int, Comparison]] = []
        self.took: list[int] = []
        self.failures: list[tuple[int, type]] = []
        self.reasons: Counter[tuple[int, str]] = Counter()

    def compared(self, _: str, version: int, one: Comparison) -> None:
        self.comparisons.append((version, one))

    def mirror_took(self, _: str, version: int, ms: float) -> None:
        assert ms >= 0
        self.took.append(version)

    def mirror_failed(self, _: str, version: int, error: FixgateError) -> None:
        self.failures.append((version, type(error)))

    def skipped(self, _: str, version: int, reason: str) -> None:
        self.reasons[version, reason] += 1


class World:
    """A shadow whose versions answer a tenth of a degree north of each other."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.computed: list[int] = []
        self.known: dict[bytes, Fix] = {}
        self.away: set[int] = set()
        self.waiting = 0
        self.error: FixgateError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def compute(self, pipeline: Pipeline, _: Canonical, __: Stopwatch, deadline: float) -> Found:
        assert deadline > asyncio.get_running_loop().time()
        number = pipeline.version.version
        self.computed.append(number)
        await self.gate.wait()
        if self.error is not None:
            return self.error
        return replaced(ANSWER, latitude=45.0 + (number - 1) / 10), "bypass"

    @asynccontextmanager
    async def shadow(self, share: float = 1.0) -> AsyncIterator[Shadow]:
        made = Shadow(
            share=share,
            compute=self.compute,
            recent=self.known.get,
            waiting=lambda: self.waiting,
            available=lambda _, number: number not in self.away,
            findings=(self.findings,),
        )
        task = asyncio.create_task(made.run())
        yield made
        task.cancel()
        await asyncio.wait([task])


def replaced(fix: Fix, *, latitude: float) -> Fix:
    """The fix at another latitude."""
    return Fix(latitude, fix.longitude, fix.covariance)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(shadow, "REST", 0.0)
    return World()


def version(number: int, **changes: Any) -> ServedVersion:
    """The echo model under that number."""
    return ECHO.served(version=number, digest=str(number) * 64, **changes)


def shadowed(second: ServedVersion | None = None) -> Route:
    """Champion 1 and shadow 2."""
    served = (version(1), second or version(2))
    return route(ServedModel("m", served, {"champion": 1, "shadow": 2}), 0.0)


def rivals() -> Route:
    """Champion 1 and candidate 2 share the traffic."""
    policy = RoutePolicy({"champion": 1, "candidate": 1})
    return route(ServedModel("m", (version(1), version(2)), {"champion": 1, "candidate": 2}, policy), 0.0)


def put(made: Shadow, given: Route, number: int = 1, answer: Fix = ANSWER, *, hit: bool = False) -> None:
    """Hand over an answer."""
    answered = given.model.version(number)
    assert answered is not None
    made.put(given, answered, asked(row()), answer, hit)


async def test_a_shadow_is_compared_with_what_the_champion_answered(world: World) -> None:
    async with world.shadow() as made:
        put(made, shadowed())
        await until(lambda: bool(world.findings.comparisons))
    ((number, found),) = world.findings.comparisons
    assert (number, world.computed, world.findings.took) == (2, [2], [2])
    _, north = offset(45.0, 9.0, 45.1, 9.0)
    assert found.distance_m == pytest.approx(north)
    assert found.champion_semi_major_m == pytest.approx(200.0)
    assert found.overlap < 1e-3


async def test_what_no_other_version_is_compared_on_is_not_kept(world: World) -> None:
    async with world.shadow() as made:
        put(made, shadowed(), number=2)
        put(made, route(ServedModel("m", (version(1),), {"champion": 1}), 0.0))
        assert made.queued == 0


async def test_nothing_begins_before_the_answer_has_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy waits its time, whatever else happens."""
    monkeypatch.setattr(shadow, "AFTER_S", 3600.0)
    async with world.shadow() as made:
        put(made, shadowed())
        for _ in range(100):
            await asyncio.sleep(0)
        assert world.computed == []


async def test_the_stated_uncertainty_is_the_scaled_one(world: World) -> None:
    async with world.shadow() as made:
        put(made, shadowed(version(2, sigma_scale=200.0)))
        await until(lambda: bool(world.findings.comparisons))
    assert world.findings.comparisons[0][1].overlap > 1e-3


async def test_while_rows_wait_nothing_is_mirrored_and_then_it_is_dropped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "PATIENCE_S", 0.05)
    world.waiting = 3
    async with world.shadow() as made:
        put(made, shadowed())
        await until(lambda: world.findings.reasons[2, "busy"] == 1)
        assert world.computed == []
        world.waiting = 0
        put(made, shadowed())
        await until(lambda: bool(world.findings.comparisons))


@pytest.mark.parametrize(("name", "limit"), [("WAITING", 3), ("WAITING_BYTES", 3 * 20)])
async def test_the_queue_is_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, limit: int
) -> None:
    monkeypatch.setattr(shadow, name, limit)
    given = shadowed()
    async with world.shadow() as made:
        for _ in range(5):
            put(made, given)
        assert made.queued == 3
        assert world.findings.reasons == {(2, "queue_full"): 2}
        await until(lambda: len(world.findings.comparisons) == 3)
        put(made, given)
        await until(lambda: len(world.findings.comparisons) == 4)


async def test_one_copy_is_worked_on_at_a_time(world: World) -> None:
    world.gate.clear()
    given = shadowed()
    async with world.shadow() as made:
        for _ in range(3):
            put(made, given)
        await until(lambda: world.computed == [2])
        assert made.queued == 2
        world.gate.set()
        await until(lambda: len(world.findings.comparisons) == 3)


async def test_a_cached_answer_is_compared_once(world: World) -> None:
    given = shadowed()
    other = replaced(ANSWER, latitude=46.0)
    async with world.shadow() as made:
        put(made, given, hit=True)
        await until(lambda: len(world.findings.comparisons) == 1)
        put(made, given, hit=True)
        assert made.queued == 0
        put(made, given, answer=other, hit=True)
        put(made, given)
        await until(lambda: len(world.findings.comparisons) == 3)
        put(made, shadowed(), hit=True)
        await until(lambda: len(world.findings.comparisons) == 4)


async def test_a_fix_that_memory_holds_is_not_computed_again(world: World) -> None:
    given = shadowed()
    second = given.model.version(2)
    assert second is not None
    pipeline = Pipeline("m", second)
    world.known[pipeline.keys.key(pipeline.canonical(asked(row())))] = ANSWER
    async with world.shadow() as made:
        put(made, given)
        await until(lambda: len(world.findings.comparisons) == 1)
        assert (world.computed, world.findings.took) == ([], [])
        made.put(given, version(1), asked(row(), cache_enabled=False), ANSWER, False)
        await until(lambda: world.computed == [2])


async def test_a_share_of_the_answers_may_be_enough(world: World) -> None:
    given = shadowed()
    async with world.shadow(share=0.0) as made:
        put(made, given)
        assert made.queued == 0


async def test_rivals_are_compared_whichever_side_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "PAIRS_PER_S", 1e9)
    given = rivals()
    async with world.shadow(share=0.0) as made:
        put(made, given, 1)
        await until(lambda: world.computed == [2])
        put(made, given, 2, replaced(ANSWER, latitude=45.1))
        await until(lambda: world.computed == [2, 1])
        await until(lambda: len(world.findings.comparisons) == 2)
    (first, one), (second, other) = world.findings.comparisons
    assert (first, second) == (2, 2)
    assert one == other


async def test_rivals_are_sampled_a_few_times_a_second(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "PAIRS_PER_S", 1 / 3600)
    given = rivals()
    async with world.shadow() as made:
        for _ in range(20):
            put(made, given)
        assert made.queued == 1


Change = Callable[[World], None]


def fails(world: World) -> None:
    world.error = BadAnswer("NaN")


def refuses(world: World) -> None:
    world.error = Overloaded("too much to do")


def is_away(world: World) -> None:
    world.away = {2}


def goes_away(world: World) -> None:
    world.error = Unavailable("not ready", version_away=True)


@pytest.mark.parametrize(
    ("change", "failures", "reasons"),
    [
        (fails, [(2, BadAnswer)], {}),
        (goes_away, [(2, Unavailable)], {}),
        (refuses, [], {(2, "busy"): 1}),
        (is_away, [], {(2, "not_ready"): 1}),
    ],
)
async def test_a_copy_without_a_fix_is_counted_and_the_next_one_tried(
    world: World, change: Change, failures: list[tuple[int, type]], reasons: dict[tuple[int, str], int]
) -> None:
    change(world)
    given = shadowed()
    async with world.shadow() as made:
        put(made, given)
        await until(lambda: bool(world.findings.failures or world.findings.reasons))
        world.error, world.away = None, set()
        put(made, given)
        await until(lambda: len(world.findings.comparisons) == 1)
    assert (world.findings.failures, dict(world.findings.reasons)) == (failures, reasons)


async def test_a_recording_that_the_shadow_does_not_take_is_passed_over(world: World) -> None:
    wider = version(2, inputs=(TensorSpec("x", "FP32", (6,)),))
    async with world.shadow() as made:
        put(made, shadowed(wider))
        await until(lambda: world.findings.reasons == {(2, "other_input"): 1})
    assert world.computed == []


def test_bytes_are_those_of_the_recording() -> None:
    iq = PredictRequest(Recording(iq=np.zeros((2, 10), np.complex64)), asked(row()).options)
    assert iq.recording.nbytes == 160
