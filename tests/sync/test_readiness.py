"""Readiness is watched after publishing: what Triton loses gives way, and comes back proved anew."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from sync.config import Config
from sync.desired import RegisteredModel
from sync.errors import RegistryUnavailable
from sync.feed import Feed
from sync.folder_repository import FolderRepository
from sync.jobs import Jobs
from sync.journal import Journal
from sync.journal import read as read_journal
from sync.progress import Progress
from sync.publication import Publisher
from sync.quarantine import Quarantine
from sync.reconcile import Reconciler, Report
from sync.settings import Defaults
from sync.triton import Triton, VersionState
from sync.work import Work
from tests.sync import makers
from tests.sync.fakes import READY, FakeTriton, staged
from tests.sync.makers import SETTINGS, model, registered

GONE = VersionState("UNAVAILABLE", "unloaded")
BROKEN = VersionState("UNAVAILABLE", "out of memory")


class FakeRegistry:
    """One model, in memory; what is written to it is kept."""

    def __init__(self) -> None:
        self.now: list[RegisteredModel] = [
            model(registered(1), registered(2), aliases={"champion": 2}, tags={"fixgate.champions": "2,1"})
        ]
        self.written: list[tuple[int, Mapping[str, str | None]]] = []
        self.up = True
        self.read_only = False

    def models(self) -> list[RegisteredModel]:
        if not self.up:
            raise RegistryUnavailable("MLflow is down")
        return self.now

    def refresh(self) -> None:
        pass

    def tag_version(self, _model: str, number: int, tags: Mapping[str, str | None], /) -> None:
        if self.read_only:
            raise RegistryUnavailable("403")
        self.written.append((number, tags))

    def tag_model(self, _model: str, _key: str, _value: str | None, /) -> None:
        pass


class Bench:
    """A reconciler over a real repository and Tritons that do as told."""

    def __init__(self, folder: Path, tritons: int = 1) -> None:
        self.registry = FakeRegistry()
        self.repository = FolderRepository(folder / "models", folder / "staging")
        self.repository.prepare()
        self.tritons = tuple(FakeTriton(self.repository, f"t{number}:8000") for number in range(tritons))
        config = Config(home=folder, unready_s=0.2, unalias_s=0.2, drain_s=0.0, load_timeout_s=1.0)
        self.feed = Feed("redis://127.0.0.1:1", folder / "catalog.json", None)
        real = cast(tuple[Triton, ...], self.tritons)
        publisher = Publisher(self.repository, real, 1.0, threading.Event().wait)
        self.work = Work(
            config=config,
            defaults=Defaults(8, 1, 1, "cpu", 1),
            source=cast(Any, None),
            publisher=publisher,
            journal=Journal(folder / "journal.jsonl", lambda _entry: None),
            quarantine=Quarantine(folder / "quarantine.json"),
            jobs=Jobs(lambda: None),
            progress=Progress(),
            on_refusal=lambda _model, _fault: None,
        )
        for number in (1, 2):
            record = makers.record(registered(number))
            publisher.publish("loc", number, record, staged(self.repository, number), SETTINGS)
        self.reconciler = Reconciler(config, self.registry, self.repository, real, self.feed, self.work)
        self.reconciler.start()

    def run_until(self, holds: Callable[[Report], bool]) -> Report:
        """Run passes until something holds."""
        deadline = time.monotonic() + 20
        while not holds(report := self.reconciler.run_pass()):
            assert time.monotonic() < deadline, report.seen.problems
        return report

    @property
    def champion(self) -> int | None:
        assert self.feed.last is not None
        served = self.feed.last.models.get("loc")
        return served.aliases.get("champion") if served else None

    def events(self) -> list[tuple[str, int | None]]:
        return [(one.event, one.version) for one in read_journal(self.work.journal.path)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.run_until(lambda report: report.settled)
    yield made
    made.work.jobs.close()
    made.feed.close()


def only(number: int, state: VersionState) -> Callable[[int], VersionState]:
    return lambda one: state if one == number else READY


def test_a_champion_that_triton_cannot_load_any_more_gives_way_within_one_pass(bench: Bench) -> None:
    bench.tritons[0].state = only(2, BROKEN)
    bench.reconciler.run_pass()
    assert bench.champion == 1
    assert ("lost", 2) in bench.events()


def test_a_champion_that_is_only_being_loaded_again_is_waited_for(bench: Bench) -> None:
    bench.tritons[0].state = only(2, VersionState("LOADING"))
    bench.reconciler.run_pass()
    assert bench.champion == 2
    bench.run_until(lambda _report: bench.champion == 1)


def test_a_version_that_is_back_takes_its_place_again_and_proves_itself_anew(bench: Bench) -> None:
    bench.tritons[0].state = only(2, GONE)
    bench.run_until(lambda _report: bench.champion == 1)
    bench.tritons[0].state = lambda _number: READY
    bench.tritons[0].asked.clear()
    bench.run_until(lambda report: bench.champion == 2 and report.settled)
    assert bench.tritons[0].asked
    assert bench.events()[-2:] == [("recover", 2), ("switch", 2)]


def test_when_triton_loses_everything_the_catalogue_stays(bench: Bench) -> None:
    before = bench.feed.last
    bench.tritons[0].state = lambda _number: GONE
    bench.run_until(lambda _report: ("lost", 2) in bench.events())
    bench.reconciler.run_pass()
    assert bench.feed.last == before


def test_a_triton_that_does_not_answer_changes_nothing(bench: Bench) -> None:
    before = bench.feed.last
    bench.tritons[0].up = False
    report = bench.reconciler.run_pass()
    assert bench.feed.last == before
    assert report.seen.states == {"t0:8000": None}


def test_one_triton_of_two_that_has_the_version_is_enough_to_go_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, tritons=2)
    bench.run_until(lambda report: report.settled)
    bench.tritons[1].state = only(2, BROKEN)
    bench.reconciler.run_pass()
    assert bench.champion == 2
    bench.work.jobs.close()
    bench.feed.close()


def test_while_mlflow_is_down_a_lost_champion_gives_way_all_the_same(bench: Bench) -> None:
    bench.registry.up = False
    bench.tritons[0].state = only(2, BROKEN)
    report = bench.reconciler.run_pass()
    assert not report.seen.fresh
    assert bench.champion == 1


def test_an_alias_that_vanishes_for_a_moment_is_on_its_way_elsewhere(bench: Bench) -> None:
    bench.registry.now = [model(registered(1), registered(2), aliases={"x": 1}, tags={})]
    bench.reconciler.run_pass()
    assert bench.champion == 2
    bench.registry.now = [model(registered(1), registered(2), aliases={"champion": 1}, tags={})]
    bench.reconciler.run_pass()
    assert bench.champion == 1


def test_an_alias_that_is_gone_for_good_is_gone(bench: Bench) -> None:
    bench.registry.now = [model(registered(1), registered(2), aliases={"x": 1}, tags={})]
    bench.run_until(lambda _report: bench.champion is None)
    bench.run_until(lambda report: report.settled)
    assert bench.events()[-1] == ("retire", 2)


def test_a_registry_that_cannot_be_written_is_reported_and_left_alone_for_a_while(bench: Bench) -> None:
    bench.registry.read_only = True
    bench.registry.now = [
        model(registered(1), registered(2), aliases={"champion": 1}, tags={"fixgate.champions": "1,2"})
    ]
    report = bench.reconciler.run_pass()
    assert bench.champion == 1
    assert "403" in report.seen.problems
    assert "403" not in bench.reconciler.run_pass().seen.problems


def test_served_versions_are_marked_in_the_registry(bench: Bench) -> None:
    marked = {number: tags["fixgate.status"] for number, tags in bench.registry.written}
    assert marked == {1: "ready", 2: "ready"}
