"""Commands are carried out once, journalled, and answered after the pass that settles them."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract.catalog import Catalog, ServedModel
from contract.command import Command, Reply
from contract.deployment import Deployment
from sync import orders
from sync.commands import Received
from sync.desired import RegisteredModel
from sync.desk import Desk
from sync.errors import RegistryUnavailable
from sync.journal import Journal, decisions
from sync.observation import Move, Observation
from sync.quarantine import Quarantine
from sync.reconcile import Report
from tests.sync.makers import live, model, registered


class FakeRegistry:
    """One model, in memory."""

    def __init__(self) -> None:
        self.model = model(
            registered(1), registered(2), aliases={"champion": 2}, tags={"fixgate.champions": "2,1"}
        )
        self.tags: dict[str, str | None] = {}
        self.moves: list[int] = []
        self.up = True
        self.refreshed = False

    def models(self) -> list[RegisteredModel]:
        if not self.up:
            raise RegistryUnavailable("MLflow is down")
        return [self.model]

    def refresh(self) -> None:
        self.refreshed = True

    def set_alias(self, _model: str, alias: str, number: int, /) -> None:
        self.moves.append(number)
        aliases = {**self.model.aliases, alias: number}
        self.model = model(registered(1), registered(2), aliases=aliases, tags=dict(self.model.tags))

    def tag_model(self, _model: str, key: str, value: str | None, /) -> None:
        self.tags[key] = value


class FakeInbox:
    """Commands put in by the test, answers taken by it."""

    def __init__(self) -> None:
        self.waiting: list[Received] = []
        self.replies: list[Reply] = []

    def take(self) -> list[Received]:
        taken, self.waiting = self.waiting, []
        return taken

    def answer(self, _received: Received, reply: Reply, /) -> None:
        self.replies.append(reply)


class Office:
    """A desk with its surroundings."""

    def __init__(self, folder: Path, decided: dict[str, int] | None = None) -> None:
        self.registry, self.inbox = FakeRegistry(), FakeInbox()
        self.entries: list[Deployment] = []
        self.champion = 2
        self.desk = Desk(
            registry=self.registry,
            inbox=self.inbox,
            journal=Journal(folder / "journal.jsonl", self.entries.append),
            quarantine=Quarantine(folder / "quarantine.json"),
            catalog=lambda: Catalog(
                "1.0", 1, 0.0, {"loc": ServedModel("loc", (), {"champion": self.champion})}
            ),
            decided=decided or {},
        )

    def send(self, action: str, *, lasts_s: float = 60.0, **fields: object) -> None:
        now = time.time()
        command = Command("c-1", action, "me", now, now + lasts_s, "loc", **fields)  # type: ignore[arg-type]
        self.inbox.waiting.append(Received(b"1-0", command))

    def passed(self, *, idle: bool = True, fresh: bool = True) -> None:
        problems = () if fresh else ("MLflow is down",)
        seen = Observation(0.0, (), fresh, {}, live(), {}, problems)
        self.desk.after_pass(Report(seen, 0.0, idle=idle, settled=idle, changed=False))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_promotion_is_answered_after_the_pass_with_before_and_after(office: Office) -> None:
    office.send("promote", version=1)
    office.desk.before_pass()
    assert office.registry.moves == [1]
    assert office.inbox.replies == []
    office.champion = 1
    office.passed()
    (reply,) = office.inbox.replies
    assert (reply.id, reply.ok, reply.before, reply.after) == ("c-1", True, {"loc": 2}, {"loc": 1})


def test_a_promotion_of_a_version_that_is_not_ready_says_so(office: Office) -> None:
    office.send("promote", version=1)
    office.desk.before_pass()
    office.passed()
    (reply,) = office.inbox.replies
    assert reply.ok
    assert "once every Triton has it ready" in reply.message


def test_commands_are_journalled_with_who_gave_them(office: Office) -> None:
    office.send("rollback")
    office.desk.before_pass()
    (entry,) = office.entries
    assert (entry.event, entry.cause, entry.by, entry.version, entry.message) == (
        "command",
        "c-1",
        "me",
        1,
        "rollback",
    )


def test_a_rollback_that_a_kill_interrupted_is_not_done_twice(tmp_path: Path) -> None:
    office = Office(tmp_path, decided={"c-1": 1})
    office.registry.set_alias("loc", "champion", 1)
    office.send("rollback")
    office.desk.before_pass()
    assert office.registry.model.aliases == {"champion": 1}
    assert office.entries == []


def test_a_rollout_that_a_kill_interrupted_promotes_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.send("rollout", version=1, arguments={"do": msgspec.Raw(b'"start"')})
    office.desk.before_pass()
    assert (office.entries[0].version, office.entries[0].message) == (1, "rollout: begin")
    assert "fixgate.rollout" in office.registry.tags
    again = Office(tmp_path, decided=decisions(tmp_path / "journal.jsonl"))
    again.send("rollout", version=1, arguments={"do": msgspec.Raw(b'"start"')})
    again.desk.before_pass()
    assert again.registry.model.aliases == {"champion": 2, "candidate": 1}
    assert again.registry.moves == [1]
    assert "fixgate.rollout" in again.registry.tags


def test_what_cannot_be_done_is_answered_at_once(office: Office) -> None:
    office.send("promote", version=9)
    office.desk.before_pass()
    (reply,) = office.inbox.replies
    assert not reply.ok
    assert "no version 9" in reply.message
    assert office.entries == []


def test_a_command_that_fails_in_a_way_nobody_thought_of_is_answered_and_holds_up_no_other(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = iter([ValueError("surprise")])
    resolve = orders.resolve

    def first_fails(*arguments: Any) -> orders.Change:
        for trouble in troubles:
            raise trouble
        return resolve(*arguments)

    monkeypatch.setattr(orders, "resolve", first_fails)
    office.send("promote", version=1)
    office.send("promote", version=1)
    office.desk.before_pass()
    (reply,) = office.inbox.replies
    assert (reply.ok, reply.fault) == (False, "unavailable")
    assert "could not carry it out: surprise" in reply.message
    assert office.registry.moves == [1]


def test_a_registry_that_is_down_is_the_answer(office: Office) -> None:
    office.registry.up = False
    office.send("promote", version=1)
    office.desk.before_pass()
    assert office.inbox.replies == [Reply("c-1", ok=False, message="MLflow is down", fault="unavailable")]


def test_a_reload_is_answered_when_nothing_is_under_way_any_more(office: Office) -> None:
    office.send("reload")
    office.desk.before_pass()
    assert office.registry.refreshed
    office.passed(idle=False)
    assert office.inbox.replies == []
    office.passed(idle=True)
    assert [reply.ok for reply in office.inbox.replies] == [True]


def test_a_reload_is_answered_before_it_expires(office: Office) -> None:
    office.send("reload", lasts_s=0.5)
    office.desk.before_pass()
    office.passed(idle=False)
    assert [reply.ok for reply in office.inbox.replies] == [True]


def test_a_pass_without_the_registry_is_no_success(office: Office) -> None:
    office.send("reload")
    office.desk.before_pass()
    office.passed(fresh=False)
    assert office.inbox.replies == [Reply("c-1", ok=False, message="MLflow is down", fault="unavailable")]


def test_weights_are_written_to_the_registry_and_taken_away_again(office: Office) -> None:
    office.send("route", arguments={"weights": msgspec.Raw(b'{"champion": 1}')})
    office.desk.before_pass()
    assert '"champion":1' in (office.registry.tags["fixgate.routing"] or "")
    office.send("route")
    office.desk.before_pass()
    assert office.registry.tags["fixgate.routing"] is None


def test_the_journal_learns_who_moved_the_champion(office: Office) -> None:
    office.send("promote", version=1)
    office.desk.before_pass()
    assert office.desk.asked_by(Move("loc", "champion", 2, 1)) == "me (command c-1)"
    assert office.desk.asked_by(Move("loc", "candidate", 2, 1)) == "registry"
    assert office.desk.asked_by(Move("loc", "champion", 1, None)) == "registry"
