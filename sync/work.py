"""Carry out a plan's actions: in threads what takes long, and journal what comes of it."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from contract.catalog import RoutePolicy
from contract.deployment import Deployment, Event
from sync import replies, settings
from sync.config import Config
from sync.desired import WantedVersion
from sync.errors import Fault, Refused, RepositoryUnavailable, TritonLost, Unavailable
from sync.jobs import Finished, Jobs
from sync.journal import Journal
from sync.observation import Move, Observation
from sync.plan import MODEL_ITSELF, Action, Clear, Key, Publish, Reconfigure, Refuse, Retire, Stage
from sync.progress import Progress, Proof
from sync.publication import Publisher, Stopped, retire
from sync.quarantine import Quarantine, Refusal
from sync.record import Record
from sync.staging import Limits, Order, Source, Staged, stage

log = logging.getLogger(__name__)

MOST_FALLS = 3
"""Triton may fall over a version, or over settings, so often in a row before they are refused."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A version on its way: why it is wanted, and since when we work on it."""

    wanted: WantedVersion
    at: float


@dataclass(slots=True)
class Work:
    """Everything that changes the repository or remembers that it was changed."""

    config: Config
    defaults: settings.Defaults
    source: Source
    publisher: Publisher
    journal: Journal
    quarantine: Quarantine
    jobs: Jobs
    progress: Progress
    on_refusal: Callable[[str, Fault], None]
    _downloads: dict[Key, tuple[Path, int]] = field(default_factory=dict)
    _placing: dict[Key, Staged] = field(default_factory=dict)
    _begun: dict[Key, Begun] = field(default_factory=dict)
    _tuning: dict[str, tuple[settings.Settings, float]] = field(default_factory=dict)

    @property
    def downloads(self) -> dict[Key, tuple[int, int]]:
        """Bytes that have come, and bytes in all, of each version that is being downloaded."""
        return {key: (_size(folder), total) for key, (folder, total) in self._downloads.copy().items()}

    def act(self, actions: tuple[Action, ...], seen: Observation) -> tuple[str, ...]:
        """Carry out the actions, or start to; what could not be written, for the next pass to try again."""
        problems = []
        for action in actions:
            try:
                self._act(action, seen)
            except OSError as error:
                # A disk may be full. No action must be held back by another that cannot be carried out.
                problems.append(f"{type(action).__name__.lower()}: {error}")
        return tuple(problems)

    def _act(self, action: Action, seen: Observation) -> None:
        match action:
            case Refuse(wanted, fault, reason):
                self._refuse(wanted, Refused(fault, reason), seen.now)
            case Stage(wanted):
                self._stage(wanted, seen)
            case Publish(wanted):
                self._publish(wanted, seen)
            case Retire(model, versions):
                self._retire(model, versions, seen)
            case Reconfigure(model, wanted_settings):
                self._reconfigure(model, wanted_settings, seen)
            case Clear(model):
                log.info("%s: clearing what was left unfinished", model)
                self.publisher.repository.clear(model)

    def settle(self) -> None:
        """Take in what the ended jobs came to."""
        for ended in self.jobs.collect():
            try:
                self._settle(ended, time.time())
            except RepositoryUnavailable as error:
                # What the job did stands where it stands: later passes see it and go on from there.
                if isinstance(ended.result, Staged):
                    self.publisher.repository.drop(ended.result.folder.parent)
                self._settle(Finished(ended.key, error=error), time.time())

    def forget_unwanted(self, seen: Observation) -> None:
        """Drop what stands ready in staging, or rests, and nobody wants any more."""
        wanted = {(model.name, number): one.version.origin for model in seen.desired.values()
                  for number, one in model.versions.items()}  # fmt: skip
        staged, resting = self.progress.staged, self.progress.resting
        for key in [key for key, one in staged.items() if wanted.get(key) != one.record.origin]:
            self.publisher.repository.drop(staged.pop(key).folder.parent)
        for known in (resting, self.progress.falls):
            for key in [key for key in known if key not in wanted and key[1] != MODEL_ITSELF]:
                del known[key]

    def _stage(self, wanted: WantedVersion, seen: Observation) -> None:
        version = wanted.version
        key = (version.model, version.number)
        tags = seen.desired[version.model].tags
        current = seen.live.models.get(version.model)
        others = current.configured - {version.number} if current else frozenset()
        try:
            chosen = (
                current.config.settings
                if current
                else seen.desired[version.model].settings or settings.first(self.defaults, tags, version.tags)
            )
        except settings.SettingsError as error:
            self._refuse(wanted, Refused("settings", str(error)), seen.now)
            return
        log.info("%s version %d: downloading and trying it (%s)", *key, ", ".join(wanted.reasons))
        order = Order(
            wanted,
            tags,
            chosen,
            (current.config.inputs, current.config.outputs) if current and others else None,
            Limits(self.config.preflight_timeout_s, self.config.preflight_memory_mb),
        )
        folder = self.publisher.repository.new_folder("stage")
        work = partial(stage, self.source, order, folder, partial(self._note_download, key, folder))
        if key not in self.progress.resting:
            self._begun[key] = Begun(wanted, seen.now)
        self.jobs.start(key, work, publishes=False)

    def _publish(self, wanted: WantedVersion, seen: Observation) -> None:
        key = (wanted.version.model, wanted.version.number)
        current = seen.live.models.get(key[0])
        record = current.versions.get(key[1]) if current else None
        if current is not None and record is not None:
            staged, chosen = None, current.config.settings
        else:
            self._placing[key] = ready = self.progress.staged.pop(key)
            staged, record, chosen = ready.folder, ready.record, ready.settings
        self._begun.setdefault(key, Begun(wanted, seen.now))
        serving = staged is None and key in self.progress.proved(seen.live)
        work = partial(self.publisher.publish, *key, record, staged, chosen, serving=serving)
        self.jobs.start(key, work, publishes=True)

    def _reconfigure(self, model: str, chosen: settings.Settings, seen: Observation) -> None:
        log.info("%s: loading every version again with %s", model, chosen)
        work = partial(self.publisher.reconfigure, model, chosen)
        self._tuning[model] = (chosen, seen.now)
        self.jobs.start((model, MODEL_ITSELF), work, publishes=True)

    def _settle(self, ended: Finished, now: float) -> None:
        if ended.key[1] == MODEL_ITSELF:
            self._settle_settings(ended, now)
        else:
            self._settle_version(ended, now)

    def _settle_settings(self, ended: Finished, now: float) -> None:
        key, error = ended.key, ended.error
        chosen, since = self._tuning[key[0]]
        if error is None:
            for number in ended.result:
                self._prove((key[0], number))
            self.progress.falls.pop(key, None)
            self.note("tune", key, now, message=settings.dump_tag(chosen), duration_s=now - since)
        elif (refused := self._refused(key, error)) is not None:
            refusal = Refusal(*key, settings.dump_tag(chosen), refused.fault, refused.reason, now)
            self.quarantine.add(refusal)
            self.on_refusal(key[0], refused.fault)
            log.error("%s: settings refused (%s): %s", key[0], refused.fault, refused.reason)
            self.note("refuse", key, now, message=f"settings {refusal.identity}: {refused.reason}")
        elif not isinstance(error, Stopped):
            log.warning("%s: settings not in force yet: %s", key[0], error)

    def _settle_version(self, ended: Finished, now: float) -> None:
        key, error = ended.key, ended.error
        begun = self._begun[key]
        self._downloads.pop(key, None)
        placing = self._placing.pop(key, None)
        if error is None:
            if isinstance(ended.result, Staged):
                self._take_staged(key, ended.result)
            else:
                self._take_published(key, begun, now)
            self.progress.resting.pop(key, None)
        elif (refused := self._refused(key, error)) is not None:
            if placing is not None:
                self.publisher.repository.drop(placing.folder.parent)
            self._refuse(begun.wanted, refused, now)
        elif not isinstance(error, Stopped):
            if placing is not None and placing.folder.is_dir():
                # It did not get into the repository: the next try need not download and prove it again.
                self.progress.staged[key] = placing
            self.progress.rest(key, str(error) or type(error).__name__, time.monotonic())
            expected = isinstance(error, Unavailable | OSError)
            trace = None if expected else error
            log.warning("%s version %d: %s; trying again", *key, error, exc_info=trace)

    def _refused(self, key: Key, error: BaseException) -> Refused | None:
        """Why there is no other try, if that is so."""
        if isinstance(error, TritonLost) and self.progress.fell(key) >= MOST_FALLS:
            self.progress.falls.pop(key)
            return Refused("triton", f"{error}; {MOST_FALLS} times in a row")
        return error if isinstance(error, Refused) else None

    def _take_staged(self, key: Key, staged: Staged) -> None:
        standing = self._standing(key)
        if standing is not None and (standing.digest, standing.metadata_contract) == (
            staged.record.digest,
            staged.record.metadata_contract,
        ):
            self.progress.equal[key] = staged.record.origin
            self.publisher.repository.drop(staged.folder.parent)
        else:
            self.progress.staged[key] = staged

    def _take_published(self, key: Key, begun: Begun, now: float) -> None:
        trusted = self.progress.trusted.get(key)
        record = self._prove(key)
        self.progress.falls.pop(key, None)
        del self._begun[key]
        if record is not None and (trusted is None or trusted.digest != record.digest):
            log.info("%s version %d: ready on every Triton and proved through each", *key)
            self.note(
                "publish", key, now, wanted=begun.wanted, digest=record.digest, duration_s=now - begun.at
            )

    def _refuse(self, wanted: WantedVersion, refused: Refused, now: float) -> None:
        version = wanted.version
        key = (version.model, version.number)
        begun = self._begun.pop(key, None)
        self.progress.resting.pop(key, None)
        self.progress.staged.pop(key, None)
        self.quarantine.add(
            Refusal(version.model, version.number, wanted.identity, refused.fault, refused.reason, now)
        )
        self.on_refusal(version.model, refused.fault)
        log.error("%s version %d refused (%s): %s", *key, refused.fault, refused.reason)
        self.note(
            "refuse",
            key,
            now,
            wanted=wanted,
            message=f"{refused.fault}: {refused.reason}",
            duration_s=now - begun.at if begun else None,
        )

    def _retire(self, model: str, versions: tuple[int, ...], seen: Observation) -> None:
        retire(self.publisher.repository, model, versions)
        for number in versions:
            key = (model, number)
            record = seen.live.models[model].versions[number]
            for known in (self.progress.proven, self.progress.trusted, self.progress.equal):
                known.pop(key, None)
            log.info("%s version %d: retired", *key)
            self.note("retire", key, seen.now, digest=record.digest if record else None)

    def note_move(self, move: Move, now: float, by: str) -> None:
        """Journal that an alias leads elsewhere now."""
        log.info(
            "%s: alias %s leads to version %s (before: %s)", move.model, move.alias, move.after, move.before
        )
        self.journal.append(
            Deployment(
                at=now,
                event="switch",
                model=move.model,
                version=move.after,
                alias=move.alias,
                previous=move.before,
                by=by,
            )
        )

    def note_weights(
        self, model: str, before: RoutePolicy | None, after: RoutePolicy | None, now: float, by: str
    ) -> None:
        """Journal that a model's traffic is shared out otherwise."""
        text = f"{replies.shown(after)} (before: {replies.shown(before)})"
        log.info("%s: %s", model, text)
        self.journal.append(Deployment(at=now, event="route", model=model, by=by, message=text))

    def note(
        self,
        event: Event,
        key: Key,
        now: float,
        *,
        wanted: WantedVersion | None = None,
        digest: str | None = None,
        message: str = "",
        duration_s: float | None = None,
    ) -> None:
        """Journal what happened to a version."""
        self.journal.append(
            Deployment(
                at=now,
                event=event,
                model=key[0],
                version=key[1] or None,
                digest=digest,
                run_id=wanted.version.run_id if wanted else None,
                cause=", ".join(wanted.reasons) if wanted else "",
                message=message,
                duration_s=None if duration_s is None else round(duration_s, 3),
            )
        )

    def _prove(self, key: Key) -> Record | None:
        """Note that a version was proved, as it stands in the repository."""
        model = self.publisher.repository.observe().models.get(key[0])
        record = model.versions.get(key[1]) if model else None
        if model is not None and record is not None:
            self.progress.proven[key] = Proof(record.digest, model.config.settings.max_batch_size)
        return record

    def _standing(self, key: Key) -> Record | None:
        model = self.publisher.repository.observe().models.get(key[0])
        return model.versions.get(key[1]) if model else None

    def _note_download(self, key: Key, folder: Path, done: int, total: int) -> None:
        if done < total:
            self._downloads[key] = (folder, total)
        else:
            self._downloads.pop(key, None)


def _size(folder: Path) -> int:
    """Bytes in a folder that something is being written to."""
    size = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += (Path(path) / name).stat().st_size
    return size


def rejected(quarantine: Quarantine, faults: Mapping[Key, Refused]) -> dict[Key, str]:
    """Why each version is rejected, as it is written to MLflow."""
    refused = {(one.model, one.version): f"{one.fault}: {one.reason}" for one in quarantine.refusals}
    kept = {key: f"{one.fault}: {one.reason}; served as before" for key, one in faults.items()}
    return {**refused, **kept}
