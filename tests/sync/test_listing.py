"""Versions are listed as often as they have to be, and no pass waits for more."""

import threading
from collections.abc import Callable

import pytest

from sync.listing import Listing, Versions
from tests.sync.makers import registered


class Source:
    """Hands out what it is told, when it is told; counts how often it was asked."""

    def __init__(self) -> None:
        self.versions: Versions = {"loc": {1: registered(1)}}
        self.asked = 0
        self.go = threading.Event()
        self.go.set()
        self.error: Exception | None = None
        self.answered = threading.Semaphore(0)

    def __call__(self) -> Versions:
        self.asked += 1
        versions = self.versions
        assert self.go.wait(10)
        try:
            if self.error is not None:
                raise self.error
            return versions
        finally:
            self.answered.release()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = [1000.0]
    monkeypatch.setattr("sync.listing.time.monotonic", lambda: now[0])

    def forward(seconds: float) -> None:
        now[0] += seconds

    return forward


def test_nothing_is_listed_twice_while_nothing_changes(source: Source) -> None:
    listing = Listing(source, every_s=60)
    assert listing.get("a") == listing.get("a") == source.versions
    assert source.asked == 1


def test_a_model_that_has_changed_has_its_versions_listed_at_once(source: Source) -> None:
    listing = Listing(source, every_s=60)
    listing.get("a")
    source.versions = {"loc": {2: registered(2)}}
    assert listing.get("b") == source.versions


def test_what_was_written_is_seen_at_the_next_look(source: Source) -> None:
    listing = Listing(source, every_s=60)
    listing.get("a")
    source.versions = {}
    listing.refresh()
    assert listing.get("a") == {}


def test_when_it_is_time_they_are_listed_beside_the_passes(
    source: Source, clock: Callable[[float], None]
) -> None:
    listing = Listing(source, every_s=60)
    before = listing.get("a")
    assert source.answered.acquire(timeout=10)
    clock(61)
    source.versions = {}
    source.go.clear()
    assert listing.get("a") is listing.get("a") is before
    assert source.asked == 2
    source.go.set()
    assert source.answered.acquire(timeout=10)
    while listing.get("a") is before:
        pass
    assert listing.get("a") == {}
    assert source.asked == 2


def test_what_was_listed_before_a_write_does_not_hide_it(
    source: Source, clock: Callable[[float], None]
) -> None:
    listing = Listing(source, every_s=60)
    listing.get("a")
    assert source.answered.acquire(timeout=10)
    clock(61)
    source.go.clear()
    listing.get("a")
    listing.refresh()
    source.go.set()
    assert source.answered.acquire(timeout=10)
    source.versions = {"written": {}}
    assert listing.get("a") == {"written": {}}
    assert listing.get("a") == {"written": {}}


def test_a_failure_beside_the_passes_leaves_what_was_known(
    source: Source, clock: Callable[[float], None]
) -> None:
    listing = Listing(source, every_s=60)
    before = listing.get("a")
    assert source.answered.acquire(timeout=10)
    clock(61)
    source.error = OSError("down")
    assert listing.get("a") is before
    assert source.answered.acquire(timeout=10)
    listing.refresh()
    with pytest.raises(OSError, match="down"):
        listing.get("a")


def test_a_failure_beside_the_passes_is_said_once_and_tried_again_after_a_while(
    source: Source, clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    listing = Listing(source, every_s=60)
    listing.get("a")
    assert source.answered.acquire(timeout=10)
    source.error = OSError("timed out")
    for tries in (2, 3):
        clock(61)
        while source.asked < tries:
            listing.get("a")
        assert source.answered.acquire(timeout=10)
        listing.get("a")
        assert source.asked == tries
    assert caplog.text.count("cannot be listed, aliases are still followed: timed out") == 1


def test_without_an_interval_every_look_lists(source: Source) -> None:
    listing = Listing(source, every_s=0)
    for _ in range(3):
        listing.get("a")
    assert source.asked == 3
