"""A rollout's next state (pure): from where it is and what was seen to where it goes."""

from dataclasses import dataclass

import msgspec

from contract.guards import Evidence, judge
from contract.rollout import Phase, Rollout
from contract.version_record import VersionRecord

NOTHING = Evidence(VersionRecord(), VersionRecord(), VersionRecord())


@dataclass(frozen=True, slots=True)
class Facts:
    """What a rollout goes by.

    champion, candidate: where the registry's aliases lead. served: versions that gateways are told of.
    refused: why the version must not be served.
    """

    now: float
    champion: int | None
    candidate: int | None
    served: frozenset[int]
    refused: str | None = None
    evidence: Evidence = NOTHING


@dataclass(frozen=True, slots=True)
class Step:
    """Where it goes. `promote`: the alias champion is to move to its version now; the state follows then."""

    rollout: Rollout
    promote: bool = False


def advance(rollout: Rollout, facts: Facts) -> Step:
    """One step on, back, or none: a state that has ended stays."""
    if not rollout.active:
        return Step(rollout)
    rollout = _not_in_the_future(rollout, facts.now)
    if facts.champion == rollout.version:
        last = rollout.phase == "running" and rollout.step == len(rollout.plan.steps) - 1
        told = "every step held" if last else f"made champion by hand at {rollout.share:g} %"
        return Step(_ended(rollout, "promoted", told, facts.now))
    if (reason := _without_ground(rollout, facts)) is not None:
        return Step(_ended(rollout, "failed", reason, facts.now))
    if rollout.phase == "waiting":
        return Step(_begin(rollout, facts))
    return _judged(rollout, facts)


def outcome(rollout: Rollout) -> str:
    """How it ended, for the version's tag."""
    return f"{rollout.phase}: {rollout.reason}"


def _not_in_the_future(rollout: Rollout, now: float) -> Rollout:
    """Where the clock was set back, the step begins now: of the time to come the guards see nothing."""
    if max(rollout.since, rollout.started_at) <= now:
        return rollout
    return msgspec.structs.replace(
        rollout, since=min(rollout.since, now), started_at=min(rollout.started_at, now)
    )


def _judged(rollout: Rollout, facts: Facts) -> Step:
    verdict = judge(rollout.plan.guards, facts.evidence)
    if verdict.broken:
        reason = f"at {rollout.share:g} %: {'; '.join(verdict.broken)}"
        return Step(_ended(rollout, "failed", reason, facts.now))
    due = facts.now >= rollout.since + rollout.plan.every_s
    if rollout.paused or verdict.missing or not due:
        return Step(rollout)
    if rollout.step + 1 < len(rollout.plan.steps):
        return Step(msgspec.structs.replace(rollout, step=rollout.step + 1, since=facts.now))
    return Step(rollout, promote=True)


def _begin(rollout: Rollout, facts: Facts) -> Rollout:
    if rollout.paused or rollout.version not in facts.served:
        return rollout
    return msgspec.structs.replace(rollout, phase="running", step=0, since=facts.now)


def _without_ground(rollout: Rollout, facts: Facts) -> str | None:
    """Why the rollout cannot go on, whatever the guards say."""
    if facts.champion != rollout.champion:
        return f"the champion is version {facts.champion or 'none'} now, not {rollout.champion}"
    if facts.candidate != rollout.version:
        return f"the alias candidate leads to version {facts.candidate or 'none'} now"
    if facts.refused is not None:
        return f"the version is refused: {facts.refused}"
    if rollout.phase == "running" and rollout.version not in facts.served:
        return f"at {rollout.share:g} %: the version is not served any more"
    return None


def _ended(rollout: Rollout, phase: Phase, reason: str, now: float) -> Rollout:
    return msgspec.structs.replace(rollout, phase=phase, paused=False, ended_at=now, reason=reason)
