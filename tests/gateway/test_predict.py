"""The straight line of one request, on a fake backend."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest

from contract.catalog import Catalog, RoutePolicy, ServedModel
from gateway import admission
from gateway.domain import BatchRequest, PredictRequest
from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    FixgateError,
    InvalidInput,
    NotFound,
    Overloaded,
    Unavailable,
)
from gateway.predict import Predictor
from gateway.prediction import Prediction
from gateway.priority import Priority
from gateway.telemetry.stopwatch import Stopwatch
from gateway.versions.routing import Pin
from tests.gateway import stand
from tests.gateway.fakes import ECHO, Stand, asked, row, served
from tests.gateway.waiting import settle


@dataclass
class Tally:
    """Remembers what it was told."""

    answered_by: list[int] = field(default_factory=list)
    failures: list[tuple[str, int, type]] = field(default_factory=list)
    own_deadlines: list[bool] = field(default_factory=list)
    fallbacks: list[tuple[int, int, int]] = field(default_factory=list)

    def answered(self, prediction: Prediction) -> None:
        self.answered_by.append(prediction.version)

    def failed(self, model: str, version: int, error: FixgateError) -> None:
        self.failures.append((model, version, type(error)))
        self.own_deadlines.append(error.own_deadline)

    def fell_back(self, _: str, version: int, stand_in: int, count: int) -> None:
        self.fallbacks.append((version, stand_in, count))


class Standing:
    """Everybody is available but those named; remembers who was found away."""

    def __init__(self) -> None:
        self.gone: set[int] = set()
        self.found_away: list[int] = []

    def available(self, _: str, version: int) -> bool:
        return version not in self.gone

    def away(self, _: str, version: int) -> None:
        self.gone.add(version)
        self.found_away.append(version)


class Line:
    """A predictor on fakes."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.stand = Stand(threads)
        self.tally = Tally()
        self.standing = Standing()
        self.catalog: Catalog | None = stand.catalogue(served())
        self.predictor = Predictor(
            catalog=lambda: self.catalog,
            locator=self.stand.locator,
            tally=self.tally,
            default_model=None,
            standing=self.standing,
        )

    async def predict(
        self,
        request: PredictRequest,
        model: ServedModel | None = None,
        *,
        pin: Pin | None = None,
        within_s: float = 5.0,
        hurried: bool = False,
    ) -> Prediction:
        deadline = asyncio.get_running_loop().time() + within_s
        return await self.predictor.predict(
            model or served(), pin, request, deadline, Stopwatch(), hurried=hurried
        )

    async def batch(
        self,
        *items: PredictRequest | FixgateError,
        model: ServedModel | None = None,
        go_on: bool = True,
        within_s: float = 5.0,
        hurried: bool = False,
    ) -> list[Prediction | FixgateError]:
        deadline = asyncio.get_running_loop().time() + within_s
        request = BatchRequest(items, go_on)
        return await self.predictor.predict_batch(
            model or served(), None, request, deadline, Stopwatch(), hurried=hurried
        )


@pytest.fixture
def line() -> Iterator[Line]:
    with ThreadPoolExecutor(2) as threads:
        yield Line(threads)


async def test_a_prediction_names_its_model_version_and_origin(line: Line) -> None:
    answer = await line.predict(asked(row(), session_id="s"))
    assert (answer.model, answer.version, answer.cache, answer.options.session_id) == ("echo", 1, "miss", "s")
    assert answer.derived.fix.latitude == 45.0
    assert line.tally.answered_by == [1]


async def test_sigma_scale_and_level_are_applied_after_the_cache(line: Line) -> None:
    """One entry serves every scale and level, and none of them is kept in it."""
    plain = await line.predict(asked(row()))
    scaled = await line.predict(asked(row(), confidence_level=0.95), served(sigma_scale=2.0))
    assert scaled.cache == "hit"
    before, after = plain.derived.fix.covariance, scaled.derived.fix.covariance
    assert (after.var_east, after.var_north) == pytest.approx((4 * before.var_east, 4 * before.var_north))
    ratio = 2 * np.sqrt(np.log(0.05) / np.log(0.32))
    assert scaled.derived.ellipse.semi_major_m == pytest.approx(ratio * plain.derived.ellipse.semi_major_m)


async def test_a_wrong_recording_is_counted_for_its_version(line: Line) -> None:
    with pytest.raises(InvalidInput, match="shape"):
        await line.predict(asked(np.zeros(4, np.float32)))
    assert line.tally.failures == [("echo", 1, InvalidInput)]
    assert line.stand.backend.calls == []


async def test_an_unusable_answer_is_raised(line: Line) -> None:
    with pytest.raises(BadAnswer, match="latitude"):
        await line.predict(asked(row(91.0)))
    assert line.tally.failures == [("echo", 1, BadAnswer)]


async def test_out_of_time_says_where_the_time_went_and_stops_the_work(line: Line) -> None:
    line.stand.backend.gate.clear()
    with pytest.raises(DeadlineExceeded, match=r"out of time in triton; spent: .*triton \d"):
        await line.predict(asked(row()), within_s=0.05)
    assert line.tally.failures == [("echo", 1, DeadlineExceeded)]
    await settle()
    assert line.stand.locator.waiting() == 0


@pytest.mark.parametrize("hurried", [True, False])
async def test_a_deadline_that_the_client_has_shortened_is_counted_as_its_own(
    line: Line, monkeypatch: pytest.MonkeyPatch, hurried: bool
) -> None:
    """Of whatever kind of request, and also when it is refused at once because the time is too short."""
    monkeypatch.setattr(admission, "PATIENCE_S", 60.0)
    line.stand.backend.gate.clear()
    now = asyncio.get_running_loop().time()
    with pytest.raises(DeadlineExceeded) as late:
        await line.predict(asked(row()), within_s=0.05, hurried=hurried)
    with pytest.raises(DeadlineExceeded):
        await line.batch(asked(row()), asked(row(46.0)), within_s=0.05, hurried=hurried)
    station = line.stand.locator._admission.station("echo", 1)
    station.ended(station.began([Priority.INTERACTIVE], now - 10.0), now, answered=True)
    with pytest.raises(Overloaded, match="the deadline leaves") as refused:
        await line.predict(asked(row(47.0)), within_s=5.0, hurried=hurried)
    assert [error for *_, error in line.tally.failures] == [*[DeadlineExceeded] * 3, Overloaded]
    assert line.tally.own_deadlines == [hurried] * 4
    assert (late.value.own_deadline, refused.value.own_deadline) == (False, False)


async def test_a_client_in_a_hurry_is_not_to_blame_for_anything_else(line: Line) -> None:
    line.stand.backend.error = Unavailable("overload")
    with pytest.raises(Unavailable):
        await line.predict(asked(row()), hurried=True)
    line.stand.backend.error = Overloaded("as it would be for all")
    with pytest.raises(Overloaded):
        await line.predict(asked(row()), hurried=True)
    assert line.tally.own_deadlines == [False, False]


async def test_a_deadline_is_its_requests_own(line: Line) -> None:
    """Who joined a flight outlives the one who started it, and the other way round."""
    line.stand.backend.gate.clear()
    short = asyncio.create_task(line.predict(asked(row()), within_s=0.05))
    await settle()
    long = asyncio.create_task(line.predict(asked(row())))
    with pytest.raises(DeadlineExceeded):
        await short
    line.stand.backend.gate.set()
    assert (await long).cache == "coalesced"
    assert len(line.stand.backend.calls) == 1


async def test_weights_split_the_traffic_and_sessions_stay(line: Line) -> None:
    versions = [ECHO.served(version=number, digest=str(number) * 64) for number in (1, 2)]
    both = stand.served_model(*versions, name="echo", routing=RoutePolicy({"champion": 50, "candidate": 50}))
    line.catalog = stand.catalogue(both)
    for session in range(40):
        for _ in range(2):
            await line.predict(asked(row(), session_id=f"s{session}"), both)
    pairs = list(zip(line.tally.answered_by[::2], line.tally.answered_by[1::2], strict=True))
    assert all(first == second for first, second in pairs)
    assert set(Counter(pairs)) == {(1, 1), (2, 2)}


def in_turn() -> ServedModel:
    """Champion 1, candidate 2 with all the traffic, 3 the champion before."""
    versions = [ECHO.served(version=number, digest=str(number) * 64) for number in (1, 2, 3)]
    model = stand.served_model(*versions, name="echo", routing=RoutePolicy({"candidate": 1}))
    return msgspec.structs.replace(model, previous_champion=3)


async def test_the_traffic_of_a_version_known_to_be_away_goes_to_its_stand_in(line: Line) -> None:
    line.standing.gone = {2}
    answer = await line.predict(asked(row()), in_turn())
    assert (answer.version, answer.fallback_from) == (1, 2)
    assert [lane.version for lane, _ in line.stand.backend.calls] == [1]
    assert line.tally.fallbacks == [(2, 1, 1)]


async def test_a_request_whose_version_turns_out_to_be_away_is_answered_all_the_same(line: Line) -> None:
    """By the champion, or by its predecessor when the champion is away as well."""
    line.stand.backend.away = {2, 1}
    answer = await line.predict(asked(row()), in_turn())
    assert (answer.version, answer.fallback_from) == (3, 2)
    assert [lane.version for lane, _ in line.stand.backend.calls] == [2, 1, 3]
    assert line.standing.found_away == [2, 1]
    assert line.tally.fallbacks == [(2, 1, 1), (1, 3, 1)]
    assert line.tally.failures == []


async def test_when_everybody_is_away_the_request_fails_and_is_counted_once(line: Line) -> None:
    line.stand.backend.away = {1, 2, 3}
    with pytest.raises(Unavailable):
        await line.predict(asked(row()), in_turn())
    assert line.tally.failures == [("echo", 3, Unavailable)]


async def test_other_errors_do_not_move_a_request(line: Line) -> None:
    line.stand.backend.error = Unavailable("overload")
    with pytest.raises(Unavailable, match="overload"):
        await line.predict(asked(row()), in_turn())
    assert len(line.stand.backend.calls) == 1


@pytest.mark.parametrize("known", [True, False])
async def test_a_pinned_request_never_moves(line: Line, known: bool) -> None:
    if known:
        line.standing.gone = {2}
    line.stand.backend.away = {2}
    with pytest.raises(Unavailable, match="version 2"):
        await line.predict(asked(row()), in_turn(), pin="candidate")
    assert line.tally.failures == [("echo", 2, Unavailable)]
    assert len(line.stand.backend.calls) == (0 if known else 1)


@pytest.mark.parametrize("go_on", [True, False])
async def test_a_batch_moves_as_a_whole(line: Line, go_on: bool) -> None:
    """Also those of its items that the first version could have answered from the cache."""
    await line.predict(asked(row(40.0)), in_turn())
    line.stand.backend.away = {2}
    answers = await line.batch(asked(row(40.0)), asked(row(41.0)), model=in_turn(), go_on=go_on)
    assert [(one.version, one.fallback_from) for one in answers if isinstance(one, Prediction)] == [
        (1, 2)
    ] * 2
    assert line.tally.fallbacks == [(2, 1, 2)]


async def test_an_expired_policy_is_noticed_between_two_requests(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.predict.time.time", lambda: 99.0)
    soon = RoutePolicy({"candidate": 1}, expires_at=100.0)
    model = msgspec.structs.replace(in_turn(), routing=soon)
    assert (await line.predict(asked(row()), model)).version == 2
    monkeypatch.setattr("gateway.predict.time.time", lambda: 100.0)
    assert (await line.predict(asked(row()), model)).version == 1


async def test_a_new_artifact_under_the_same_number_is_not_served_from_the_old_ones_cache(line: Line) -> None:
    await line.predict(asked(row()))
    changed = served(digest="e" * 64)
    line.catalog = stand.catalogue(changed)
    assert (await line.predict(asked(row()), changed)).cache == "miss"


async def test_pipelines_of_retired_versions_are_forgotten(line: Line) -> None:
    await line.predict(asked(row()))
    other = stand.served_model(ECHO.served(version=2), name="echo")
    line.catalog = stand.catalogue(other)
    await line.predict(asked(row()), other)
    assert list(line.predictor._pipelines) == [("echo", 2)]


def test_models_are_known_before_a_body_is_read(line: Line) -> None:
    assert line.predictor.model(None, None).name == "echo"
    assert line.predictor.model("echo", "champion").name == "echo"
    with pytest.raises(NotFound, match='no model "nope"'):
        line.predictor.model("nope", None)
    with pytest.raises(NotFound, match="no version 9"):
        line.predictor.model("echo", 9)
    line.catalog = None
    with pytest.raises(Unavailable, match="no catalogue yet"):
        line.predictor.model("echo", None)


async def test_a_batch_keeps_its_order_and_its_errors_in_place(line: Line) -> None:
    unparsed = InvalidInput("not numbers", field="samples[1]")
    answers = await line.batch(
        asked(row(40.0)), unparsed, asked(np.zeros(4, np.float32)), asked(row(41.0)), asked(row(91.0))
    )
    assert [one.derived.fix.latitude for one in answers if isinstance(one, Prediction)] == [40.0, 41.0]
    assert [type(one) for one in answers] == [Prediction, InvalidInput, InvalidInput, Prediction, BadAnswer]
    assert answers[1] is unparsed
    assert [rows for _, rows in line.stand.backend.calls] == [3]
    assert len(line.tally.answered_by) == 2
    assert [error for *_, error in line.tally.failures] == [InvalidInput, InvalidInput, BadAnswer]


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (InvalidInput("unparsed"), InvalidInput),
        (asked(np.zeros(4, np.float32)), InvalidInput),
        (asked(row(91.0)), BadAnswer),
    ],
    ids=["unparsed", "wrong shape", "unusable answer"],
)
async def test_a_batch_that_is_not_to_go_on_fails_as_its_first_error(
    line: Line, bad: PredictRequest | FixgateError, kind: type[FixgateError]
) -> None:
    with pytest.raises(kind):
        await line.batch(asked(row()), bad, asked(row(46.0)), go_on=False)


async def test_items_of_a_batch_may_bypass_the_cache_one_by_one(line: Line) -> None:
    await line.batch(asked(row()))
    answers = await line.batch(asked(row()), asked(row(), cache_enabled=False), asked(row()))
    assert [one.cache for one in answers if isinstance(one, Prediction)] == ["hit", "bypass", "hit"]


async def test_a_batch_out_of_time_fails_as_a_whole(line: Line) -> None:
    line.stand.backend.gate.clear()
    with pytest.raises(DeadlineExceeded):
        await line.batch(asked(row()), asked(row(46.0)), within_s=0.05)
    assert line.tally.failures == [("echo", 1, DeadlineExceeded)] * 2


async def test_a_batch_of_errors_only_still_answers(line: Line) -> None:
    answers = await line.batch(InvalidInput("a"), InvalidInput("b"))
    assert [type(one) for one in answers] == [InvalidInput, InvalidInput]
    assert line.stand.backend.calls == []
