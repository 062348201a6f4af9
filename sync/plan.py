"""What is to be done next (pure): from what the registry wants and what is live to a tuple of actions.

Nothing is remembered from one plan to the next; a plan made after a kill finishes what was begun.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sync.desired import Desired, WantedModel, WantedVersion, safe_name
from sync.errors import Fault
from sync.repository import TRIAL_PREFIX, Live, LiveModel
from sync.settings import Settings, dump_tag

Key = tuple[str, int]
"""Model name and version number."""

MODEL_ITSELF = 0
"""In a key, in place of a version number: MLflow's begin at 1."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Download a version and prove it, beside the repository."""

    wanted: WantedVersion


@dataclass(frozen=True, slots=True)
class Publish:
    """Bring a version into the repository, wait for every Triton, prove it through them.

    Whatever of it is already done is not done again: after a restart this is how a version is taken on.
    """

    wanted: WantedVersion


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse a version without looking at its files."""

    wanted: WantedVersion
    fault: Fault
    reason: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Take versions that no gateway sends requests to any more out of the repository."""

    model: str
    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reconfigure:
    """Give a model other settings: Triton loads every version again, beside the one that answers."""

    model: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class Clear:
    """Take out what a publication or removal that was not finished left of a model; nothing serves it."""

    model: str


Standing = Literal["done", "stage", "publish", "replace", "wait"]

Action = Stage | Publish | Refuse | Retire | Reconfigure | Clear


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known besides registry and repository.

    Attributes:
        staged: the origin of each version that stands ready in staging.
        equal: the origin of each re-registered version whose files turned out to be the live ones.
        proven: versions that answered through every Triton as they should.
        refused: the identity under which each version was refused.
        resting: versions that failed through no fault of theirs, until their next try.
        busy: versions that a job works on.
        publishing: models whose repository folder a job works on.
        serving: versions in the catalogue as it stands after this pass's observation.
        drained: versions that have been out of the catalogue for as long as requests may take.
        loaded: versions that some Triton still has.
        lowered: models whose gateways know by now of a batch size that is not above the wanted one.
    """

    staged: Mapping[Key, str] = field(default_factory=dict)
    equal: Mapping[Key, str] = field(default_factory=dict)
    proven: frozenset[Key] = frozenset()
    refused: Mapping[Key, str] = field(default_factory=dict)
    resting: frozenset[Key] = frozenset()
    busy: frozenset[Key] = frozenset()
    publishing: frozenset[str] = frozenset()
    serving: frozenset[Key] = frozenset()
    drained: frozenset[Key] = frozenset()
    loaded: frozenset[Key] = frozenset()
    lowered: frozenset[str] = frozenset()


def plan(desired: Desired, live: Live, situation: Situation) -> tuple[Action, ...]:
    """The next actions, in order; at most one publication per model."""
    actions: list[Action] = [Clear(name) for name in live.unfinished if name not in situation.publishing]
    for model in desired.values():
        actions += _advance(model, live, situation)
    if desired:
        # A registry that suddenly has nothing at all is more likely broken than meant.
        for current in live.models.values():
            actions += _clear(current, desired.get(current.name), situation)
    return tuple(actions)


def _advance(model: WantedModel, live: Live, situation: Situation) -> Iterator[Action]:
    """Bring each wanted version one step nearer to being served."""
    publishing = model.name in situation.publishing
    settings = _new_settings(model, live.models.get(model.name), situation)
    if settings is not None and not publishing:
        publishing = True
        yield Reconfigure(model.name, settings)
    for number, wanted in model.versions.items():
        key = (model.name, number)
        if key in situation.busy or situation.refused.get(key) == wanted.identity:
            continue
        fault = _obvious_fault(model.name, live)
        if fault is not None:
            yield Refuse(wanted, *fault)
            continue
        state = standing(key, wanted, live.models.get(model.name), situation)
        if key in situation.resting:
            continue
        if state == "publish" and not publishing:
            publishing = True
            yield Publish(wanted)
        elif state == "stage":
            yield Stage(wanted)


def _new_settings(model: WantedModel, live: LiveModel | None, situation: Situation) -> Settings | None:
    """Settings to put in force now; a smaller batch size only after every gateway keeps to it."""
    wanted = model.settings
    if wanted is None or live is None or live.config.settings == wanted:
        return None
    if situation.refused.get((model.name, MODEL_ITSELF)) == dump_tag(wanted):
        return None
    lower = wanted.max_batch_size < live.config.settings.max_batch_size
    return wanted if not lower or model.name in situation.lowered else None


def _obvious_fault(name: str, live: Live) -> tuple[Fault, str] | None:
    if not safe_name(name):
        return "name", (
            f"the model's name {name!r} cannot be a folder's: letters, digits, '.', '_' and '-' only, at "
            "most 200, the first a letter or digit; register it under another name"
        )
    if name.startswith(TRIAL_PREFIX):
        return "name", f"{TRIAL_PREFIX}* are copies that `fixgate tune` makes; register it under another name"
    if name in live.foreign:
        return "name", f"the model repository has a folder {name!r} that fixgate did not make; move it away"
    return None


def standing(key: Key, wanted: WantedVersion, live: LiveModel | None, situation: Situation) -> Standing:
    """How far a wanted version has come: `done`, or what is next.

    `replace`: other content stands under its number and has to go first; `wait`: for Triton to let go of it.
    """
    number = key[1]
    origin = wanted.version.origin
    if live is not None and number in live.versions:
        record = live.versions[number]
        same = record is not None and (record.origin == origin or situation.equal.get(key) == origin)
        if same:
            return "done" if number in live.configured and key in situation.proven else "publish"
        return "replace" if situation.staged.get(key) == origin else "stage"
    if situation.staged.get(key) != origin:
        return "stage"
    # Until every Triton has let go of what had this number before, its readiness would be the old one's.
    return "wait" if key in situation.loaded else "publish"


def _clear(live: LiveModel, wanted: WantedModel | None, situation: Situation) -> Iterator[Action]:
    """Retire what is not wanted, once no gateway sends requests to it."""
    gone = []
    for number in live.versions:
        key = (live.name, number)
        version = wanted.versions.get(number) if wanted else None
        if version is not None and standing(key, version, live, situation) != "replace":
            continue
        if key not in situation.serving and key in situation.drained:
            gone.append(number)
    if gone and live.name not in situation.publishing:
        yield Retire(live.name, tuple(gone))
