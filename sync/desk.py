"""Carry out commands: before a pass the change in the registry, after it the answer."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from contract import rollout as rollouts
from contract.catalog import Catalog
from contract.command import Command, Reply
from contract.deployment import Deployment
from contract.rollout import Rollout
from sync import orders, replies
from sync.commands import Received
from sync.desired import ROLLOUT_TAG, ROUTING_TAG, RegisteredModel, dump_routing
from sync.errors import RegistryUnavailable
from sync.journal import Journal
from sync.observation import Move, served_models
from sync.orders import Change, LookAgain, MoveChampion, NotPossible, SetRollout, SetRouting
from sync.quarantine import Quarantine
from sync.reconcile import Report

log = logging.getLogger(__name__)

ANSWER_BEFORE_S = 1.0
"""A reload is answered this long before it expires even when a version is still on its way."""


class Registry(Protocol):
    """What commands read and change."""

    def models(self) -> list[RegisteredModel]: ...
    def refresh(self) -> None: ...
    def set_alias(self, model: str, alias: str, number: int) -> None: ...
    def tag_model(self, model: str, key: str, value: str | None) -> None: ...


class Inbox(Protocol):
    """Where commands come from and answers go to."""

    def take(self) -> list[Received]: ...
    def answer(self, received: Received, reply: Reply) -> None: ...


@dataclass(frozen=True, slots=True)
class _Open:
    """A command that is carried out and not answered yet."""

    received: Received
    change: Change
    before: replies.State


@dataclass(slots=True)
class Desk:
    """Takes commands from the inbox and sees them through."""

    registry: Registry
    inbox: Inbox
    journal: Journal
    quarantine: Quarantine
    catalog: Callable[[], Catalog | None]
    decided: dict[str, int]
    _open: list[_Open] = field(default_factory=list)

    def before_pass(self) -> None:
        """Make the changes that waiting commands ask for."""
        for received in self.inbox.take():
            command = received.command
            try:
                self._open.append(self._carry_out(received))
            except (NotPossible, RegistryUnavailable) as error:
                log.warning("command %s (%s by %s): %s", command.id, command.action, command.by, error)
                fault = error.fault if isinstance(error, NotPossible) else "unavailable"
                self.inbox.answer(received, Reply(command.id, ok=False, message=str(error), fault=fault))
            except Exception as error:
                # Not answered, it would come again with every pass.
                log.exception("command %s (%s by %s) failed", command.id, command.action, command.by)
                told = f"sync could not carry it out: {error}"
                self.inbox.answer(received, Reply(command.id, ok=False, message=told, fault="unavailable"))

    def after_pass(self, report: Report) -> None:
        """Answer the commands that the pass has settled."""
        open_, self._open = self._open, []
        for one in open_:
            command = one.received.command
            waiting = isinstance(one.change, LookAgain) and not report.idle
            if waiting and report.seen.fresh and time.time() < command.expires_at - ANSWER_BEFORE_S:
                self._open.append(one)
            else:
                self.inbox.answer(one.received, self._reply(one, report))

    def asked_by(self, move: Move) -> str:
        """Who moved an alias: whoever gave the command for it, else someone in the registry."""
        for one in self._open:
            if move.alias == "champion" and one.change == MoveChampion(move.model, move.after or 0):
                return f"{one.received.command.by} (command {one.received.command.id})"
        return "registry"

    def routed_by(self, model: str) -> str:
        """Who changed a model's weights: whoever gave the command for it, else someone in the registry."""
        for one in self._open:
            if isinstance(one.change, SetRouting) and one.change.model == model:
                return f"{one.received.command.by} (command {one.received.command.id})"
        return "registry"

    def _carry_out(self, received: Received) -> _Open:
        command = received.command
        change = self._decide(command)
        before = replies.state(change, self.catalog(), time.time())
        match change:
            case MoveChampion(model, version):
                self.registry.set_alias(model, "champion", version)
            case SetRouting(model, policy):
                self.registry.tag_model(model, ROUTING_TAG, dump_routing(policy))
            case SetRollout(model, rollout, begins):
                if begins:
                    self._make_way(model, rollout)
                self.registry.tag_model(model, ROLLOUT_TAG, rollouts.dump(rollout))
        log.info("command %s (%s by %s): %s", command.id, command.action, command.by, change)
        return _Open(received, change, before)

    def _make_way(self, model: str, rollout: Rollout) -> None:
        """Leave all traffic to the champion, and have the version served."""
        self.registry.tag_model(model, ROUTING_TAG, None)
        self.registry.set_alias(model, "candidate", rollout.version)

    def _decide(self, command: Command) -> Change:
        """Decide once: a command that comes again after a kill must not roll back twice."""
        moves = command.action in ("promote", "rollback")
        if moves and command.id in self.decided and command.model is not None:
            return MoveChampion(command.model, self.decided[command.id])
        if command.action == "reload":
            self.registry.refresh()
        registered = {} if command.action == "reload" else {one.name: one for one in self.registry.models()}
        refused = {(one.model, one.version): one for one in self.quarantine.refusals}
        served = dict(served_models(self.catalog()))
        change = orders.resolve(command, registered, served, refused, time.time())
        version = change.version if isinstance(change, MoveChampion) else None
        if version is not None:
            self.decided[command.id] = version
        self.journal.append(
            Deployment(
                at=time.time(),
                event="command",
                model=command.model or "",
                version=change.rollout.version if isinstance(change, SetRollout) else version,
                cause=command.id,
                by=command.by,
                message=replies.asked(command.action, change),
            )
        )
        return change

    def _reply(self, one: _Open, report: Report) -> Reply:
        command, catalog = one.received.command, self.catalog()
        if not report.seen.fresh:
            problems = "; ".join(report.seen.problems)
            return Reply(id=command.id, ok=False, message=problems, fault="unavailable")
        after = replies.state(one.change, catalog, time.time())
        names = {command.model or name for name in (*one.before, *after)}
        by_model = isinstance(one.change, MoveChampion | LookAgain)
        return Reply(
            id=command.id,
            ok=True,
            message=replies.message(one.change, catalog),
            revision=catalog.revision if catalog else 0,
            before={name: one.before.get(name) for name in names} if by_model else one.before,
            after={name: after.get(name) for name in names} if by_model else after,
        )
