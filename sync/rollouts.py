"""See rollouts through: what is decided in a pass counts for the gateways in the same pass.

A rollout's state is a tag in the registry. While the registry does not answer, what was decided is held here,
so that a version that fails loses its traffic at once all the same.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from contract import rollout as rollouts
from contract.catalog import Catalog
from contract.deployment import Deployment
from contract.guards import Evidence, window
from contract.rollout import Rollout
from contract.version_record import VersionRecord
from sync import journal as journals
from sync.desired import ROLLOUT_TAG, WantedModel
from sync.errors import RegistryUnavailable
from sync.journal import Journal
from sync.metrics import Metrics
from sync.observation import Move, Observation, served_models
from sync.quarantine import Quarantine
from sync.rollout import Facts, Step, advance, outcome

log = logging.getLogger(__name__)


class Registry(Protocol):
    """What rollouts change."""

    def set_alias(self, model: str, alias: str, number: int) -> None: ...
    def remove_alias(self, model: str, alias: str) -> None: ...
    def tag_model(self, model: str, key: str, value: str | None) -> None: ...


class Records(Protocol):
    """What gateways recorded."""

    def of(self, model: str, since: float, until: float) -> Mapping[int, VersionRecord]: ...


@dataclass(slots=True)
class Rollouts:
    """Every model's newest rollout. `_held`: decided, but not in the registry yet."""

    registry: Registry
    records: Records
    journal: Journal
    quarantine: Quarantine
    metrics: Metrics
    catalog: Callable[[], Catalog | None]
    _held: dict[str, Rollout] = field(default_factory=dict)
    _noted: dict[str, str] | None = None
    _promoted: dict[str, int] = field(default_factory=dict)

    def follow(self, seen: Observation) -> Observation:
        """What was seen, with every rollout where it is now."""
        desired = dict(seen.desired)
        for name, wanted in seen.desired.items():
            if wanted.rollout is not None:
                present = self._present(name, wanted.rollout)
                step = advance(present, self._facts(wanted, present, seen.now))
                now = self._taken(wanted, present, step, fresh=seen.fresh)
                self._note(name, now, seen.now)
                desired[name] = replace(wanted, rollout=now)
        self.metrics.rollouts(
            {name: one.rollout.share for name, one in desired.items() if one.rollout and one.rollout.active}
        )
        return replace(seen, desired=desired)

    def asked_by(self, move: Move) -> str | None:
        """Who moved an alias, if a rollout did; told once."""
        if move.alias != "champion" or self._promoted.get(move.model) != move.after:
            return None
        del self._promoted[move.model]
        return "rollout"

    def _present(self, name: str, registered: Rollout) -> Rollout:
        held = self._held.get(name)
        if held is None or held.id != registered.id or not registered.active:
            self._held.pop(name, None)
            return registered
        return held

    def _facts(self, wanted: WantedModel, rollout: Rollout, now: float) -> Facts:
        served = served_models(self.catalog()).get(wanted.name)
        refusal = next(
            (f"{one.fault}: {one.reason}" for one in self.quarantine.refusals
             if (one.model, one.version) == (wanted.name, rollout.version)), None
        )  # fmt: skip
        return Facts(
            now=now,
            champion=wanted.aliases.get("champion"),
            candidate=wanted.aliases.get("candidate"),
            served=frozenset(one.version for one in served.versions) if served else frozenset(),
            refused=refusal,
            evidence=self._evidence(wanted.name, rollout, now),
        )

    def _evidence(self, model: str, rollout: Rollout, now: float) -> Evidence:
        if rollout.phase != "running":
            return Evidence(VersionRecord(), VersionRecord(), VersionRecord())
        step = self.records.of(model, *window(rollout.since, now))
        whole = self.records.of(model, *window(rollout.started_at, now))
        return Evidence(
            version=step.get(rollout.version, VersionRecord()),
            champion=step.get(rollout.champion, VersionRecord()),
            since_start=whole.get(rollout.version, VersionRecord()),
        )

    def _taken(self, wanted: WantedModel, present: Rollout, step: Step, *, fresh: bool) -> Rollout:
        """The rollout after what was decided has been done, as far as the registry lets it."""
        name = wanted.name
        if step.rollout != present:
            self._held[name] = step.rollout
        if not fresh:
            return step.rollout
        try:
            if step.promote:
                self.registry.set_alias(name, "champion", present.version)
                self._promoted[name] = present.version
            if (held := self._held.get(name)) is not None:
                self.registry.tag_model(name, ROLLOUT_TAG, rollouts.dump(held))
                del self._held[name]
                if held.phase == "promoted" and wanted.aliases.get("candidate") == held.version:
                    self.registry.remove_alias(name, "candidate")
        except RegistryUnavailable as error:
            log.warning("rollout of %s version %d: %s", name, present.version, error)
        return step.rollout

    def _note(self, name: str, rollout: Rollout, now: float) -> None:
        """Journal where a rollout is, once for each place; what a kill kept from being noted as well."""
        if self._noted is None:
            self._noted = journals.rollouts(self.journal.path)
        place = f"{rollout.id} {rollout.phase} {rollout.step}{' paused' if rollout.paused else ''}"
        if self._noted.get(name) == place:
            return
        self._noted[name] = place
        told = _told(rollout)
        log.log(
            logging.WARNING if rollout.phase == "failed" else logging.INFO,
            "rollout of %s version %d: %s",
            name,
            rollout.version,
            told,
        )
        if not rollout.active:
            self.metrics.end_rollout(name, rollout.phase)
        self.journal.append(
            Deployment(
                at=now,
                event="rollout",
                model=name,
                version=rollout.version,
                previous=rollout.champion,
                cause=place,
                by=rollout.by,
                message=told,
            )
        )


def _told(rollout: Rollout) -> str:
    """Where a rollout is, in the journal's words."""
    if not rollout.active:
        return outcome(rollout)
    if rollout.paused:
        return f"paused at {rollout.share:g} %"
    if rollout.phase == "waiting":
        steps = ", ".join(f"{share:g}" for share in rollout.plan.steps)
        return f"waits until the version is served; then {steps} %"
    return f"{rollout.share:g} % of the traffic"
