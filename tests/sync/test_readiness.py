"""Readiness is watched after publishing: what Triton loses gives way, and comes back proved anew."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import redis

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
from sync.settings import Defaults, Settings, dump_tag
from sync.triton import Triton, VersionState
from sync.work import Work
from tests.sync import makers
from tests.sync.fakes import READY, FakeTriton, staged
from tests.sync.makers import SETTINGS, model, registered

GONE = VersionState("UNAVAILABLE", "unloaded")
BROKEN = VersionState("UNAVAILABLE", "out of memory")
KEPT = {"fixgate.champions": "2,1"}


class FakeRegistry:
    """One model, in memory; what is written to it is kept."""

    def __init__(self) -> None:
        self.now: list[RegisteredModel] = [
            model(registered(1), registered(2), aliases={"champion": 2}, tags={"fixgate.champions": "2,1"})
        ]
        self.written: list[tuple[int, Mapping[str, str | None]]] = []
        self.up = True
        self.read_only = False
        self.not_ours = ""
        self.model_tags: list[tuple[str, str, str | None]] = []

    def models(self) -> list[RegisteredModel]:
        if not self.up:
            raise RegistryUnavailable("MLflow is down")
        return self.now

    def refresh(self) -> None:
        pass

    def tag_version(self, model: str, number: int, tags: Mapping[str, str | None], /) -> None:
        if self.read_only or model == self.not_ours:
            raise RegistryUnavailable("403")
        self.written.append((number, tags))

    def tag_model(self, model: str, key: str, value: str | None, /) -> None:
        self.model_tags.append((model, key, value))


class Bench:
    """A reconciler over a real repository and Tritons that do as told."""

    def __init__(self, folder: Path, redis_url: str, tritons: int = 1) -> None:
        self.registry = FakeRegistry()
        self.repository = FolderRepository(folder / "models", folder / "staging")
        self.repository.prepare()
        self.tritons = tuple(FakeTriton(self.repository, f"t{number}:8000") for number in range(tritons))
        config = Config(home=folder, unready_s=0.2, unalias_s=0.2, drain_s=0.0, load_timeout_s=1.0)
        self.feed = Feed(redis_url, folder / "catalog.json", None)
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
def bench(tmp_path: Path, empty_redis: str) -> Iterator[Bench]:
    made = Bench(tmp_path, empty_redis)
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


@pytest.fixture
def two_tritons(tmp_path: Path, empty_redis: str) -> Iterator[Bench]:
    made = Bench(tmp_path, empty_redis, tritons=2)
    made.run_until(lambda report: report.settled)
    yield made
    made.work.jobs.close()
    made.feed.close()


def test_one_triton_of_two_that_has_the_version_is_enough_to_go_on(two_tritons: Bench) -> None:
    two_tritons.tritons[1].state = only(2, BROKEN)
    two_tritons.reconciler.run_pass()
    assert two_tritons.champion == 2


@pytest.mark.parametrize("trouble", ["not loaded", "requests fail", "unavailable"])
def test_a_served_champion_that_cannot_be_proved_anew_stays_served(two_tritons: Bench, trouble: str) -> None:
    """As after a restart of sync: what was proved has to prove itself again."""
    bench, triton, before = two_tritons, two_tritons.tritons[1], two_tritons.events()
    bench.work.progress.trust(bench.feed.last)
    bench.work.progress.proven.clear()
    if trouble == "not loaded":
        triton.state = only(2, VersionState("LOADING"))
    else:
        triton.fails = True
        triton.status = "503" if trouble == "unavailable" else "400"
    report = bench.run_until(lambda report: ("loc", 2) in report.resting)
    assert bench.champion == 2
    assert bench.repository.has_version("loc", 2)
    assert not bench.work.quarantine.refusals
    assert not report.settled
    triton.state, triton.fails = lambda _number: READY, False
    bench.work.progress.resting.clear()
    bench.run_until(lambda report: report.settled)
    assert bench.events() == before


def test_a_served_champion_that_answers_otherwise_than_it_did_is_taken_out(bench: Bench) -> None:
    bench.work.progress.trust(bench.feed.last)
    bench.work.progress.proven.clear()
    bench.tritons[0].offset = 0.5
    bench.run_until(lambda _report: ("refuse", 2) in bench.events())
    assert not bench.repository.has_version("loc", 2)


def test_a_version_over_which_triton_falls_again_and_again_is_refused(bench: Bench) -> None:
    three = registered(3)
    aliases = {"champion": 2, "candidate": 3}
    bench.registry.now = [model(registered(1), registered(2), three, aliases=aliases, tags=KEPT)]
    bench.tritons[0].dies_at = 8

    def refused(_report: Report) -> bool:
        if not bench.repository.has_version("loc", 3) and not bench.work.jobs.busy:
            bench.repository.add_version("loc", 3, staged(bench.repository, 3))  # nothing to download from
            bench.work.progress.resting.clear()
        return ("refuse", 3) in bench.events()

    bench.run_until(refused)
    (refusal,) = bench.work.quarantine.refusals
    assert refusal.reason.endswith("3 times in a row")
    assert bench.champion == 2


def test_settings_over_which_triton_falls_again_and_again_are_refused(bench: Bench) -> None:
    before = bench.repository.read_config("loc")
    smaller = dump_tag(Settings(max_batch_size=16, instances=4, threads=1))
    bench.registry.now = [
        model(
            registered(1), registered(2), aliases={"champion": 2}, tags={**KEPT, "fixgate.settings": smaller}
        )
    ]
    bench.tritons[0].dies_at = 16
    bench.run_until(lambda _report: bench.events()[-1][0] == "refuse")
    assert bench.repository.read_config("loc") == before
    assert bench.champion == 2


def test_an_empty_repository_leaves_the_catalogue_as_it_is(bench: Bench) -> None:
    before = bench.feed.last
    bench.repository.remove_model("loc")
    report = bench.reconciler.run_pass()
    assert bench.feed.last == before
    assert any("has no model, but the catalogue does" in one for one in report.seen.problems)


def test_while_gateways_cannot_be_told_nothing_is_taken_from_them(bench: Bench, empty_redis: str) -> None:
    bench.registry.now = [model(registered(1), registered(2), aliases={"x": 1}, tags={})]
    with redis.Redis.from_url(empty_redis) as client:
        client.execute_command("ACL", "SETUSER", "default", "-set")
        try:
            bench.run_until(lambda _report: bench.champion is None)
            for _ in range(3):
                bench.reconciler.run_pass()
            assert bench.repository.has_version("loc", 2)
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+set")
    bench.run_until(lambda report: report.settled)
    assert bench.events()[-1] == ("retire", 2)
    assert not bench.repository.has_version("loc", 2)


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


def test_so_is_the_only_alias_of_a_model(bench: Bench) -> None:
    other = model(registered(1, model="other"), aliases={"champion": 1}, name="other")
    bench.registry.now = [model(registered(1), registered(2), aliases={}, tags={}), other]
    bench.reconciler.run_pass()
    assert bench.champion == 2
    bench.run_until(lambda _report: bench.champion is None)


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
    assert "loc: 403" in report.seen.problems
    assert "loc: 403" not in bench.reconciler.run_pass().seen.problems


def test_a_model_that_cannot_be_written_holds_back_no_other(bench: Bench) -> None:
    bench.registry.not_ours = "first"
    theirs = model(registered(1, model="first", tags={"fixgate.status": "ready"}), name="first")
    ours = model(registered(1), registered(2), aliases={"champion": 1}, tags=KEPT)
    bench.registry.now = [theirs, ours]  # in the order in which they are written
    report = bench.reconciler.run_pass()
    assert "first: 403" in report.seen.problems
    assert ("loc", "fixgate.champions", "1,2") in bench.registry.model_tags


def test_served_versions_are_marked_in_the_registry(bench: Bench) -> None:
    marked = {number: tags["fixgate.status"] for number, tags in bench.registry.written}
    assert marked == {1: "ready", 2: "ready"}
