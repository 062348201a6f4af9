"""One pass: observe, draft the catalogue, publish it, plan, act, write back; from what it sees."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from sync import catalogue, journal, observation, writeback
from sync.config import Config
from sync.desired import RegisteredModel, identity
from sync.errors import Refused, RegistryUnavailable, TritonUnavailable
from sync.feed import Feed
from sync.observation import Move, Observation
from sync.plan import MODEL_ITSELF, Key, Situation, plan
from sync.repository import Repository
from sync.settings import dump_tag
from sync.survey import survey
from sync.triton import Triton
from sync.work import Work, rejected

log = logging.getLogger(__name__)

WRITE_AGAIN_S = 30.0
WRITES_S = 2.0
"""After so long no more is written in this pass once something could not be."""

LOST = "{} has no model, but the catalogue does: it stays as it is; is this the repository, and mounted?"
FOLLOWED_S = 5.0
"""By then every gateway that is up follows a new catalogue, and what it sent before is in."""


class Registry(Protocol):
    """What a pass reads from and writes to MLflow."""

    def models(self) -> list[RegisteredModel]: ...
    def refresh(self) -> None: ...
    def tag_version(self, model: str, number: int, tags: Mapping[str, str | None]) -> None: ...
    def tag_model(self, model: str, key: str, value: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Report:
    """What a pass saw. `idle`: nothing can be done now; `settled`: and nothing waits for another try."""

    seen: Observation
    duration_s: float
    idle: bool
    settled: bool
    changed: bool
    resting: Mapping[Key, str] = field(default_factory=dict)


@dataclass(slots=True)
class Reconciler:
    """The parts that a pass works with."""

    config: Config
    registry: Registry
    repository: Repository
    tritons: tuple[Triton, ...]
    feed: Feed
    work: Work
    asked_by: Callable[[Move], str] = lambda _move: "registry"
    follow: Callable[[Observation], Observation] = lambda seen: seen
    routed_by: Callable[[str], str] = lambda _model: "registry"
    _registered: tuple[RegisteredModel, ...] = ()
    _lost: frozenset[Key] = frozenset()
    _no_writes_until: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """Take over what an earlier process left: versions in the last catalogue count as proved."""
        self.repository.prepare()
        self.feed.start()
        self.work.progress.trust(self.feed.last)
        self._note_unnoted()

    def _note_unnoted(self) -> None:
        """Journal the moves that a kill kept from being noted after they had been published."""
        noted = journal.aliases(self.work.journal.path)
        for name, model in observation.served_models(self.feed.last).items():
            for alias, number in model.aliases.items():
                before = noted.get((name, alias))
                if before != number:
                    self.work.note_move(
                        Move(name, alias, before, number), time.time(), "noted after a restart"
                    )

    def run_pass(self) -> Report:
        """Do one pass.

        Raises:
            RepositoryUnavailable: the repository cannot be read or written.
        """
        started = time.monotonic()
        self.work.settle()
        seen = survey(self.config, self.registry, self.repository, self.tritons, self._registered)
        self._registered = seen.registered
        seen = self.follow(seen)
        self.work.forget_unwanted(seen)
        situation = self._situation(seen)
        if self._repository_lost(seen):
            seen = _told(seen, LOST.format(self.config.model_repository))
        draft = self._draft(seen, situation)
        changed = self._publish_catalogue(seen, draft)
        idle = settled = False
        if seen.fresh:
            self.work.quarantine.keep(_refused_identities(self.work.quarantine.identities, seen))
            situation = self._served_now(seen, situation)
            actions = plan(seen.desired, seen.live, situation)
            seen = _told(seen, *self.work.act(actions, seen))
            seen = self._write_back(seen, draft.faults)
            idle = not (changed or self.work.jobs.busy or _ahead(seen, situation))
            settled = idle and not self.work.progress.resting
        resting = {key: rest.reason for key, rest in self.work.progress.resting.items()}
        return Report(seen, time.monotonic() - started, idle, settled, changed, resting)

    def _situation(self, seen: Observation) -> Situation:
        progress = self.work.progress
        self._watch_readiness(seen)
        return Situation(
            staged={key: one.record.origin for key, one in progress.staged.items()},
            equal=dict(progress.equal),
            proven=progress.proved_here(seen.live),
            refused=self.work.quarantine.identities,
            resting=progress.still_resting(seen.moment),
            busy=self.work.jobs.busy,
            publishing=self.work.jobs.publishing,
            loaded=observation.loaded_keys(seen.states) | self._still_loaded(seen),
        )

    def _still_loaded(self, seen: Observation) -> frozenset[Key]:
        """Staged versions whose number some Triton answers to, though the repository has no such version."""
        missing = set(self.work.progress.staged) - observation.standing_keys(seen.live)
        return frozenset(key for key in missing if any(_answers(triton, key) for triton in self.tritons))

    def _watch_readiness(self, seen: Observation) -> None:
        """A version that comes back after it was not ready (Triton restarted) has to prove itself anew."""
        progress = self.work.progress
        unready = observation.unready_keys(frozenset(progress.proved(seen.live)), seen.states)
        for key in [key for key in progress.unready if key not in unready and key in progress.proven]:
            progress.trusted[key] = progress.proven.pop(key)
        progress.unready.update_to(unready, seen.moment)
        lost = progress.unready.longer_than(self.config.unready_s, seen.moment)
        lost |= observation.failed_keys(frozenset(unready), seen.states)
        for key in lost - self._lost:
            self.work.note("lost", key, seen.now, message=observation.reason(key, seen.states))
        for key in self._lost - lost:
            self.work.note("recover", key, seen.now)
        self._lost = lost

    def _draft(self, seen: Observation, situation: Situation) -> catalogue.Draft:
        progress = self.work.progress
        vanished = observation.vanished_aliases(self.feed.last, seen.desired, seen.registered)
        progress.vanished.update_to(vanished, seen.moment)
        settled = progress.vanished.longer_than(self.config.unalias_s, seen.moment)
        return catalogue.draft(
            seen.desired,
            seen.live,
            situation,
            self.feed.last,
            catalogue.Circumstances(
                now=seen.now,
                proven=progress.proved(seen.live),
                unready=self._lost,
                lingering=frozenset(progress.vanished) - settled,
                run_url=self.config.mlflow_public_url,
            ),
        )

    def _publish_catalogue(self, seen: Observation, draft: catalogue.Draft) -> bool:
        if (not seen.desired and seen.live.models) or self._repository_lost(seen):
            return False
        before = observation.served_models(self.feed.last)
        changed = self.feed.update(draft.models, seen.now)
        for move in observation.moved_aliases(before, draft.models) if changed else ():
            self.work.note_move(move, seen.now, self.asked_by(move))
        for name, old, new in observation.moved_weights(before, draft.models) if changed else ():
            expired = old is not None and old.expires_at is not None and old.expires_at <= seen.now
            self.work.note_weights(name, old, new, seen.now, "expiry" if expired else self.routed_by(name))
        return changed

    def _repository_lost(self, seen: Observation) -> bool:
        """What is in the catalogue leaves the repository last: one that is empty before is not that one."""
        return not seen.live.models and bool(observation.served_models(self.feed.last))

    def _served_now(self, seen: Observation, situation: Situation) -> Situation:
        """The situation after this pass's catalogue, as far as gateways can have heard of it."""
        serving, progress = observation.served_keys(self.feed.last), self.work.progress
        idle = observation.standing_keys(seen.live) - serving
        lowered = observation.lowered(self.feed.last, seen.desired)
        progress.idle.update_to(idle if self.feed.told else (), seen.moment)
        progress.lowered.update_to(lowered if self.feed.told else (), seen.moment)
        return replace(
            situation,
            serving=serving,
            drained=progress.idle.longer_than(self.config.drain_s, seen.moment),
            lowered=progress.lowered.longer_than(FOLLOWED_S, seen.moment),
        )

    def _write_back(self, seen: Observation, faults: Mapping[Key, Refused]) -> Observation:
        waiting = {key: rest.reason for key, rest in self.work.progress.resting.items()}
        changes = writeback.changes(
            seen.registered,
            seen.desired,
            observation.served_models(self.feed.last),
            rejected(self.work.quarantine, faults),
            waiting,
            now=seen.now,
        )
        problems, began = [], time.monotonic()
        for change in changes:
            if seen.moment < self._no_writes_until.get(change.model, 0.0):
                continue
            try:
                self._write(change)
            except RegistryUnavailable as error:
                self._no_writes_until[change.model] = seen.moment + WRITE_AGAIN_S
                problems.append(f"{change.model}: {error}")
                if time.monotonic() - began > WRITES_S:
                    break
        return _told(seen, *problems)

    def _write(self, change: writeback.VersionTags | writeback.ModelTag) -> None:
        if isinstance(change, writeback.ModelTag):
            self.registry.tag_model(change.model, change.key, change.value)
        else:
            self.registry.tag_version(change.model, change.version, change.tags)


def _told(seen: Observation, *problems: str) -> Observation:
    return replace(seen, problems=(*seen.problems, *problems))


def _answers(triton: Triton, key: Key) -> bool:
    """Whether a Triton has this version ready; one that does not answer may have it."""
    try:
        return triton.ready(*key)
    except TritonUnavailable:
        return True


def _ahead(seen: Observation, situation: Situation) -> bool:
    """Whether something is to be done now, or once the versions that are let go are drained."""
    standing = observation.standing_keys(seen.live)
    return bool(plan(seen.desired, seen.live, replace(situation, drained=standing)))


def _refused_identities(refused: Iterable[Key], seen: Observation) -> dict[Key, str]:
    """What the refused versions (and settings) are now, as far as they are still registered."""
    models = {model.name: model for model in seen.registered}
    tuned = {
        (name, MODEL_ITSELF): dump_tag(model.settings)
        for name, model in seen.desired.items()
        if model.settings is not None
    }
    return tuned | {
        (name, number): identity(version, models[name].tags)
        for name, number in refused
        if name in models and (version := models[name].versions.get(number)) is not None
    }
