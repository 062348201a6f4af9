"""Rollouts in a pass: what is decided counts at once, is written when it can be, and is noted once."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from contract import rollout as rollouts
from contract.catalog import Catalog, ServedModel
from contract.deployment import Deployment
from contract.rollout import Guards, Plan, Rollout
from contract.version_record import VersionRecord
from sync.desired import RegisteredModel
from sync.errors import RegistryUnavailable
from sync.journal import Journal
from sync.metrics import Metrics
from sync.observation import Move, Observation
from sync.quarantine import Quarantine
from sync.rollouts import Rollouts
from tests.sync.makers import live, model, registered, wanted
from tests.sync.test_catalogue import BOTH, served

PLAN = Plan(steps=(50, 100), every_s=10, guards=Guards(None, None, None, min_requests=1))
RUNNING = Rollout("r", 2, 1, PLAN, "me", 0.0, phase="running", since=100.0)


class FakeRegistry:
    """One model, in memory."""

    def __init__(self) -> None:
        self.aliases = {"champion": 1, "candidate": 2}
        self.rollout = RUNNING
        self.up = True

    def set_alias(self, _model: str, alias: str, number: int, /) -> None:
        self._check()
        self.aliases[alias] = number

    def remove_alias(self, _model: str, alias: str, /) -> None:
        self._check()
        del self.aliases[alias]

    def tag_model(self, _model: str, key: str, value: str | None, /) -> None:
        self._check()
        assert key == "fixgate.rollout"
        self.rollout = rollouts.parse(value or "")

    def _check(self) -> None:
        if not self.up:
            raise RegistryUnavailable("MLflow is down")

    @property
    def model(self) -> RegisteredModel:
        tags = {"fixgate.rollout": rollouts.dump(self.rollout)}
        return model(registered(1), registered(2), aliases=self.aliases, tags=tags)


class Stage:
    """Rollouts with their surroundings."""

    def __init__(self, folder: Path) -> None:
        self.registry = FakeRegistry()
        self.record = VersionRecord(answered=5)
        self.entries: list[Deployment] = []
        self.folder = folder
        self.metrics = Metrics()
        self.rollouts = self.made()

    def made(self) -> Rollouts:
        """Rollouts as after a start."""
        catalog = Catalog("1.0", 1, 0.0, {"loc": served(wanted(self.registry.model), BOTH)})
        return Rollouts(
            self.registry,
            self,
            Journal(self.folder / "journal.jsonl", self.entries.append),
            Quarantine(self.folder / "quarantine.json"),
            self.metrics,
            lambda: catalog,
        )

    def of(self, model: str, since: float, until: float) -> Mapping[int, VersionRecord]:
        assert model == "loc"
        assert since <= until
        return {2: self.record}

    def passed(self, now: float, *, fresh: bool = True) -> ServedModel:
        """What gateways are told after a pass."""
        desired = wanted(self.registry.model)
        seen = Observation(now, (self.registry.model,), fresh, desired, live(), {})
        return served(dict(self.rollouts.follow(seen).desired), BOTH)

    @property
    def told(self) -> list[str]:
        return [one.message for one in self.entries]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def weights(told: ServedModel) -> dict[str, float] | None:
    return told.routing.weights if told.routing else None


def test_a_step_is_in_the_registry_and_with_the_gateways_after_the_pass(stage: Stage) -> None:
    assert weights(stage.passed(109.0)) == {"champion": 50.0, "2": 50.0}
    assert weights(stage.passed(110.0)) == {"champion": 0.0, "2": 100.0}
    assert (stage.registry.rollout.step, stage.registry.rollout.since) == (1, 110.0)
    assert stage.told == ["50 % of the traffic", "100 % of the traffic"]


def test_it_promotes_and_only_then_lets_go_of_the_traffic(stage: Stage) -> None:
    stage.passed(110.0)
    assert weights(stage.passed(120.0)) == {"champion": 0.0, "2": 100.0}
    assert stage.registry.aliases == {"champion": 2, "candidate": 2}
    assert stage.rollouts.asked_by(Move("loc", "champion", 1, 2)) == "rollout"
    assert stage.rollouts.asked_by(Move("loc", "champion", 2, 1)) is None
    told = stage.passed(121.0)
    assert (told.aliases["champion"], told.routing) == (2, None)
    assert stage.registry.rollout.phase == "promoted"
    assert stage.registry.aliases == {"champion": 2}
    assert stage.told[-1] == "promoted: every step held"


def test_a_promotion_that_the_registry_does_not_take_is_tried_again(stage: Stage) -> None:
    stage.passed(110.0)
    stage.registry.up = False
    assert weights(stage.passed(120.0)) == {"champion": 0.0, "2": 100.0}
    stage.registry.up = True
    stage.passed(121.0)
    assert stage.registry.aliases["champion"] == 2


def test_a_version_that_fails_loses_its_traffic_at_once_though_the_registry_is_down(stage: Stage) -> None:
    guards = Guards(max_shift=None, min_requests=1)
    stage.registry.rollout = msgspec.structs.replace(RUNNING, plan=Plan(guards=guards))
    stage.record = VersionRecord(answered=1, errors={"BadAnswer": 9})
    stage.registry.up = False
    for fresh in (True, False):
        told = stage.passed(101.0, fresh=fresh)
        assert (told.routing, told.rollout and told.rollout.phase) == (None, "failed")
    assert stage.registry.rollout.phase == "running"
    stage.registry.up = True
    stage.passed(102.0)
    assert (stage.registry.rollout.phase, stage.registry.rollout.ended_at) == ("failed", 101.0)
    assert stage.told == ["failed: at 1 %: error rate 90.00% of 10 (limit 1.00%, champion none)"]
    assert b'fixgate_rollouts_total{model="loc",outcome="failed"} 1.0' in stage.metrics.render()


def test_what_was_decided_gives_way_to_what_people_did_meanwhile(stage: Stage) -> None:
    stage.registry.up = False
    stage.passed(110.0)
    stage.registry.up = True
    stage.registry.rollout = msgspec.structs.replace(RUNNING, phase="aborted", reason="aborted by me")
    assert stage.passed(111.0).routing is None
    assert stage.registry.rollout.phase == "aborted"


def test_after_a_restart_nothing_is_noted_twice_and_nothing_is_left_out(stage: Stage) -> None:
    stage.passed(109.0)
    stage.rollouts = stage.made()
    stage.passed(109.5)
    assert stage.told == ["50 % of the traffic"]
    stage.registry.rollout = msgspec.structs.replace(RUNNING, paused=True)
    stage.rollouts = stage.made()
    stage.passed(109.6)
    assert stage.told == ["50 % of the traffic", "paused at 50 %"]


def test_without_records_it_waits(stage: Stage) -> None:
    """As after Redis has lost everything."""
    stage.record = VersionRecord()
    assert weights(stage.passed(500.0)) == {"champion": 50.0, "2": 50.0}
    assert b'fixgate_rollout_share{model="loc"} 50.0' in stage.metrics.render()
