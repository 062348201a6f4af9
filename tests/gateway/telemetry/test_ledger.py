"""Notes entered many at a time: into which groups, when, and that counting together counts the same."""

import asyncio
import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from contract.histogram import Histogram
from gateway.domain import Covariance, Fix, Options
from gateway.errors import Unavailable
from gateway.prediction import CacheOutcome, Prediction, derive
from gateway.telemetry import groups
from gateway.telemetry import ledger as ledgers
from gateway.telemetry.counters import Counters
from gateway.telemetry.groups import Array, Asked, Predicted
from gateway.telemetry.history import History
from gateway.telemetry.latency_window import LatencyWindow
from gateway.telemetry.ledger import SETTLE_S, Ledger
from gateway.telemetry.metric_family import Distribution
from gateway.telemetry.metrics import SECONDS, Metrics
from gateway.telemetry.stopwatch import Stopwatch
from tests.gateway import virtual_time
from tests.gateway.telemetry.noted import asked, predicted

OUTCOMES: tuple[CacheOutcome, ...] = ("hit", "miss", "coalesced", "bypass")
NOW = 1_800_000_000.0


class Book(groups.Book):
    """Keeps what is entered, as plain values."""

    def __init__(self) -> None:
        self.predictions: list[tuple[Any, ...]] = []
        self.requests: list[tuple[Any, ...]] = []
        self.stages: list[tuple[str, list[float]]] = []

    def predicted(self, group: Predicted) -> None:
        self.predictions.append(plain(group))

    def asked(self, group: Asked) -> None:
        self.requests.append(plain(group))

    def spent(self, stage: str, seconds: Array) -> None:
        self.stages.append((stage, seconds.tolist()))


def plain(group: Predicted | Asked) -> tuple[Any, ...]:
    """Its values, arrays as lists."""
    return tuple(one.tolist() if isinstance(one, np.ndarray) else one for one in group)


def prediction(
    version: int = 1,
    cache: CacheOutcome = "miss",
    *,
    model: str = "m",
    at: float = NOW,
    ms: float = 5.0,
    sigma: float = 100.0,
    level: float = 0.68,
) -> Prediction:
    """An answer whose larger σ is `sigma` metres."""
    fix = Fix(45.0, 9.0, Covariance(sigma**2, sigma**2 / 4, 0.0))
    derived = derive(fix, sigma_scale=1.0, level=level, radius_m=1e3)
    return Prediction("i", model, version, derived, Options(confidence_level=level), cache, ms, at)


def watch(outcome: str = "ok", version: str = "1", told: dict[str, float] | None = None) -> Stopwatch:
    """Of a request for predictions of model m."""
    made = Stopwatch()
    made.model, made.version, made.outcome, made.told = "m", version, outcome, told
    return made


@pytest.fixture
def book() -> Book:
    return Book()


def test_predictions_are_grouped_by_version_and_place_in_the_order_made(book: Book) -> None:
    predicted(
        book,
        prediction(1, "miss", at=NOW, ms=4.0, sigma=100.0),
        prediction(1, "hit", at=NOW + 1, ms=1.0, sigma=200.0, level=0.95),
        prediction(2, "miss", at=NOW + 2, ms=5.0, sigma=300.0),
        prediction(1, "miss", at=NOW + 3, ms=6.0, sigma=400.0, level=0.5),
        prediction(1, "miss", model="n", at=NOW + 4, ms=7.0, sigma=500.0),
    )
    assert book.predictions == [
        ("m", 1, "miss", [NOW, NOW + 3], [4.0, 6.0], pytest.approx([100.0, 400.0])),
        ("m", 1, "hit", [NOW + 1], [1.0], pytest.approx([200.0])),
        ("m", 2, "miss", [NOW + 2], [5.0], pytest.approx([300.0])),
        ("n", 1, "miss", [NOW + 4], [7.0], pytest.approx([500.0])),
    ]


def test_each_cache_outcome_is_a_group_of_its_own(book: Book) -> None:
    predicted(book, *(prediction(cache=one) for one in (*OUTCOMES, *OUTCOMES)))
    assert [(group[2], len(group[3])) for group in book.predictions] == [(one, 2) for one in OUTCOMES]


def test_a_batchs_predictions_count_one_by_one_and_its_request_once() -> None:
    metrics, counters, history = Metrics(), Counters(), History()
    ledger = Ledger((metrics, counters, history))
    for cache in ("hit", "miss", "miss", "coalesced", "bypass"):
        ledger.prediction(prediction(cache=cache))
    ledger.request("POST", "/predict/batch", 200, at=NOW, seconds=0.02, watch=watch())
    ledger.settle()
    count = counters.of("m")
    assert (count.successful, count.looked_up, count.hits, count.total_ms) == (5, 4, 1, 25.0)
    assert (metrics.predictions.total(), metrics.predictions.total(cache="miss")) == (5, 2)
    assert metrics.requests.total() == 1
    (step,) = history.steps(NOW)
    assert (step.requests, step.looked_up, step.hits) == (1, 4, 1)


def test_requests_are_grouped_by_all_that_is_told_of_them(book: Book) -> None:
    ledger = Ledger([book])
    for method, route, status, at, one in (
        ("POST", "/predict", 200, 1.0, watch()),
        ("POST", "/predict", 200, 2.0, watch()),
        ("POST", "/predict", 503, 3.0, watch("Overloaded", "")),
        ("POST", "/predict", 200, 4.0, watch(version="2")),
        ("GET", "/health", 200, 5.0, Stopwatch()),
        ("POST", "/predict", 200, 6.0, watch()),
    ):
        ledger.request(method, route, status, at=at, seconds=at / 10, watch=one)
    assert book.requests == []
    ledger.settle()
    assert book.requests == [
        ("POST", "/predict", 200, "m", "1", "ok", [1.0, 2.0, 6.0], pytest.approx([0.1, 0.2, 0.6])),
        ("POST", "/predict", 503, "m", "", "Overloaded", [3.0], pytest.approx([0.3])),
        ("POST", "/predict", 200, "m", "2", "ok", [4.0], pytest.approx([0.4])),
        ("GET", "/health", 200, "", "", "ok", [5.0], pytest.approx([0.5])),
    ]


def test_stages_are_those_that_the_client_was_told_in_seconds(book: Book) -> None:
    ledger = Ledger([book])
    for told in ({"read": 1.0, "triton": 4.0}, None, {"read": 2.0}, {}):
        ledger.request("POST", "/predict", 200, at=NOW, seconds=0.01, watch=watch(told=told))
    ledger.settle()
    told_of: dict[str, list[float]] = {}
    for stage, seconds in book.stages:
        told_of.setdefault(stage, []).extend(seconds)
    assert told_of == {"read": pytest.approx([0.001, 0.002]), "triton": pytest.approx([0.004])}


def test_what_was_noted_is_entered_once(book: Book) -> None:
    ledger = Ledger([book])
    ledger.prediction(prediction())
    ledger.request("POST", "/predict", 200, at=NOW, seconds=0.01, watch=watch(told={"read": 1.0}))
    for _ in range(3):
        ledger.settle()
    assert (len(book.predictions), len(book.requests), len(book.stages)) == (1, 1, 1)


def test_every_book_hears_of_it() -> None:
    books = Book(), Book()
    ledger = Ledger(books)
    ledger.prediction(prediction())
    ledger.request("POST", "/predict", 200, at=NOW, seconds=0.01, watch=watch(told={"read": 1.0}))
    ledger.settle()
    first, second = (vars(one) for one in books)
    assert first == second
    assert all(first.values())


def test_a_full_ledger_settles_at_once(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "MOST", 3)
    ledger = Ledger([book])
    for count in range(1, 7):
        ledger.request("GET", "/health", 200, at=NOW, seconds=0.001, watch=Stopwatch())
        assert sum(len(group[-1]) for group in book.requests) == count - count % 3
    for _ in range(4):
        ledger.prediction(prediction())
    ledger.request("POST", "/predict/batch", 200, at=NOW, seconds=0.01, watch=watch())
    assert [len(group[3]) for group in book.predictions] == [4]
    assert sum(len(group[-1]) for group in book.requests) == 7


def test_it_settles_now_and_then_and_at_the_end(book: Book) -> None:
    async def work() -> None:
        ledger = Ledger([book])
        running = asyncio.create_task(ledger.run())
        for count in range(3):
            ledger.prediction(prediction())
            assert len(book.predictions) == count
            await asyncio.sleep(1.5 * SETTLE_S)
            assert len(book.predictions) == count + 1
        ledger.prediction(prediction())
        running.cancel()
        await asyncio.wait([running])
        assert len(book.predictions) == 4

    virtual_time.run(work())


def test_a_failed_recording_is_counted_at_once_beside_it() -> None:
    metrics, counters = Metrics(), Counters()
    for book in (metrics, counters):
        book.failed("m", 1, Unavailable("away"))
        predicted(book, prediction())
    assert metrics.failures.total(error="Unavailable") == 1
    assert (counters.of("m").failed, counters.of("m").successful) == (1, 1)


VALUES = st.lists(
    st.one_of(st.floats(0, 1e12), st.floats(0, 1e-5), st.sampled_from([0.0, 1e-6, 1.0, 1e9, *SECONDS])),
    max_size=40,
)


@given(before=VALUES, values=VALUES)
def test_a_histogram_counts_many_at_once_as_it_does_one_by_one(
    before: list[float], values: list[float]
) -> None:
    one_by_one = Histogram()
    for value in before:
        one_by_one.add(value)
    together = copy.deepcopy(one_by_one)
    for value in values:
        one_by_one.add(value)
    together.add_all(np.array(values, np.float64))
    assert (together.zeros, together.count) == (one_by_one.zeros, one_by_one.count)
    assert together.counts == one_by_one.counts
    assert together.total == pytest.approx(one_by_one.total, rel=1e-12)
    assert all(type(bucket) is int for bucket in together.counts)


@given(before=VALUES, values=VALUES)
def test_a_distribution_takes_in_many_at_once_as_it_does_one_by_one(
    before: list[float], values: list[float]
) -> None:
    made = [Distribution("d", "About.", ("label",), CollectorRegistry(), SECONDS) for _ in range(2)]
    one_by_one, together = made
    for value in before:
        for one in made:
            one.observe(value, ("a",))
    for value in values:
        one_by_one.observe(value, ("a",))
    together.observe_all(np.array(values, np.float64), ("a",))
    assert together.merged(lambda _: True) == pytest.approx(one_by_one.merged(lambda _: True), rel=1e-12)
    assert together.merged(lambda _: True)[:-1] == one_by_one.merged(lambda _: True)[:-1]


def entries(window: LatencyWindow) -> list[tuple[float, float]]:
    """When and how long, by time: groups are entered one after the other."""
    at, ms = np.frombuffer(window.dump(), "<f8").reshape(2, -1).tolist()
    return sorted(zip(at, ms, strict=True))


NOTES = st.lists(
    st.tuples(
        st.sampled_from(OUTCOMES),
        st.integers(1, 2),
        st.floats(0.01, 1e4),
        st.floats(1.0, 1e5),
        st.sampled_from([200, 404, 503]),
    ),
    max_size=30,
)


@settings(max_examples=25)
@given(notes=NOTES)
def test_the_books_say_the_same_whether_entered_together_or_one_by_one(
    notes: list[tuple[CacheOutcome, int, float, float, int]],
) -> None:
    single = Metrics(), Counters(), History()
    several = Metrics(), Counters(), History()
    ledger = Ledger(several)
    for place, (cache, version, ms, sigma, status) in enumerate(notes):
        at = NOW + place / 100
        made = prediction(version, cache, at=at, ms=ms, sigma=sigma)
        ledger.prediction(made)
        ledger.request("POST", "/predict", status, at=at, seconds=ms / 1e3, watch=watch())
        for book in single:
            predicted(book, made)
            asked(book, status, ms / 1e3, at=at, watch=watch())
    ledger.settle()
    (metrics, counters, history), (other_metrics, other_counters, other_history) = single, several
    for one, other in (
        (metrics.requests, other_metrics.requests),
        (metrics.predictions, other_metrics.predictions),
    ):
        assert sorted(map(str, one.items())) == sorted(map(str, other.items()))
    for a, b in ((metrics.durations, other_metrics.durations), (metrics._ellipses, other_metrics._ellipses)):
        assert b.merged(lambda _: True) == pytest.approx(a.merged(lambda _: True), rel=1e-9)
    count, other_count = counters.of("m"), other_counters.of("m")
    assert (other_count.successful, other_count.looked_up, other_count.hits, other_count.last_at) == (
        count.successful, count.looked_up, count.hits, count.last_at,
    )  # fmt: skip
    assert other_count.total_ms == pytest.approx(count.total_ms)
    assert entries(other_count.latencies) == entries(count.latencies)
    assert [
        (step.at, step.requests, step.errors, step.refused, step.hits, step.looked_up, step.times_ms.counts)
        for step in other_history.steps(NOW)
    ] == [
        (step.at, step.requests, step.errors, step.refused, step.hits, step.looked_up, step.times_ms.counts)
        for step in history.steps(NOW)
    ]


def test_what_is_entered_late_counts_to_its_own_ten_seconds() -> None:
    """Groups come one after the other: the second begins before the first ended."""
    history = History()
    ledger = Ledger([history])
    for status, at in ((200, NOW + 9), (200, NOW + 11), (503, NOW + 9), (503, NOW + 11)):
        ledger.request("POST", "/predict", status, at=at, seconds=0.01, watch=watch())
    ledger.settle()
    steps = history.steps(NOW + 12)
    assert [(one.at - NOW, one.requests, one.errors) for one in steps] == [(0, 2, 1), (10, 2, 1)]
