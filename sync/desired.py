"""What the registry wants served (pure): from its models, versions, aliases and tags to `Desired`."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import msgspec

from contract import rollout as rollouts
from contract.catalog import RoutePolicy
from contract.rollout import Rollout
from sync.settings import SETTINGS_TAG, Settings
from sync.settings import parse_tag as parse_settings

T = TypeVar("T")

SERVE_TAG = "fixgate.serve"
CONTRACT_TAG = "fixgate.contract"
SIGMA_SCALE_TAG = "fixgate.sigma_scale"
ROUTING_TAG = "fixgate.routing"
ROLLOUT_TAG = "fixgate.rollout"
"""On a registered model its newest rollout; on a version what became of the newest that was about it."""

CHAMPIONS_TAG = "fixgate.champions"
STATUS_TAG = "fixgate.status"
REASON_TAG = "fixgate.reason"
DIGEST_TAG = "fixgate.digest"
OWN_TAGS = frozenset({STATUS_TAG, REASON_TAG, DIGEST_TAG, ROLLOUT_TAG})
"""Version tags that sync writes: they never make a version another one."""

STAGE_ALIASES = {"Production": "champion", "Staging": "candidate"}
FIRST = ("champion", "candidate", "shadow")
NUMBER = re.compile(r"[0-9]{1,9}")
"""A version's number in a tag; Python refuses to read numbers of thousands of digits."""

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One model version as the registry has it. `created_at` in Unix seconds."""

    model: str
    number: int
    source: str
    created_at: float
    model_id: str | None = None
    run_id: str | None = None
    stage: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Changes when name and number come to mean another registration."""
        return _hash([self.source, self.model_id, self.run_id, self.created_at])


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """One registered model with its aliases and tags."""

    name: str
    aliases: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[int, RegisteredVersion] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WantedVersion:
    """One version that is to be served. `identity` changes whenever a refused one is worth another try."""

    version: RegisteredVersion
    reasons: tuple[str, ...]
    identity: str


@dataclass(frozen=True, slots=True)
class WantedModel:
    """One model's versions in the order in which they are to become ready, and where its aliases point.

    `routing` is what the tag says, expired or not; None with `routing_unread` when it cannot be read.
    """

    name: str
    versions: Mapping[int, WantedVersion]
    aliases: Mapping[str, int]
    tags: Mapping[str, str]
    champions: tuple[int, ...] = ()
    routing: RoutePolicy | None = None
    routing_unread: bool = False
    rollout: Rollout | None = None
    settings: Settings | None = None
    problems: tuple[str, ...] = ()


Desired = Mapping[str, WantedModel]


def select(models: Iterable[RegisteredModel], *, patterns: tuple[str, ...], keep: int) -> Desired:
    """Which versions of which models are wanted.

    Args:
        models: all that the registry has.
        patterns: names, globs (`loc-*`), or `tag:key` / `tag:key=value` on the registered model.
        keep: how many previous champions stay served for rollback.
    """
    wanted = (_wanted(model, keep) for model in models if any(_matches(model, one) for one in patterns))
    return {model.name: model for model in wanted if model.versions}


def identity(version: RegisteredVersion, model_tags: Mapping[str, str]) -> str:
    """Changes when a version that was refused is worth another try: its source, contract or tags changed."""
    tags = sorted((key, value) for key, value in version.tags.items() if key not in OWN_TAGS)
    return _hash([version.origin, tags, model_tags.get(CONTRACT_TAG)])


def safe_name(name: str) -> bool:
    """Whether a model's name can be a folder and a part of Triton's URLs as it is."""
    return SAFE_NAME.fullmatch(name) is not None


def parse_champions(text: str | None) -> tuple[int, ...]:
    """The tag `fixgate.champions`: numbers, newest first; anything unreadable is passed over."""
    return tuple(int(part) for part in (text or "").split(",") if NUMBER.fullmatch(part.strip()))


def with_champion(champions: tuple[int, ...], number: int, *, limit: int = 10) -> tuple[int, ...]:
    """The champions so far with `number` as the newest."""
    return (number, *(one for one in champions if one != number))[:limit]


def parse_routing(text: str) -> RoutePolicy:
    """The tag `fixgate.routing`.

    Raises:
        ValueError: not JSON of that form, a negative weight, or no positive one.
    """
    policy = msgspec.json.decode(text, type=RoutePolicy)
    part: RoutePolicy | None = policy
    while part is not None:
        if not any(weight > 0 for weight in part.weights.values()):
            raise ValueError("at least one weight must be positive")
        part = part.then
    return policy


def dump_routing(policy: RoutePolicy | None) -> str | None:
    """The policy as the tag has it; None takes the tag away."""
    return None if policy is None else msgspec.json.encode(policy).decode()


def lasting(policy: RoutePolicy | None) -> RoutePolicy | None:
    """What stays of a policy once everything about it that expires has expired."""
    while policy is not None and policy.expires_at is not None:
        policy = policy.then
    return policy


def routing_etag(tags: Mapping[str, str], rollout: Rollout | None) -> str:
    """Changes whenever what the registry says of a model's traffic does."""
    return _hash([tags.get(ROUTING_TAG), rollout and rollouts.dump(rollout)])[:16]


def read_rollout(tags: Mapping[str, str]) -> Rollout | None:
    """The newest rollout, if there was one and it can be read."""
    return _read(rollouts.parse, ROLLOUT_TAG, tags, [])


def _wanted(model: RegisteredModel, keep: int) -> WantedModel:
    aliases = dict(model.aliases) or _stage_aliases(model.versions.values())
    champions = parse_champions(model.tags.get(CHAMPIONS_TAG))
    reasons: dict[int, list[str]] = {}
    for alias in sorted(aliases, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name)):
        reasons.setdefault(aliases[alias], []).append(f"alias {alias}")
    for number, version in sorted(model.versions.items()):
        if version.tags.get(SERVE_TAG, "").lower() == "true":
            reasons.setdefault(number, []).append(f"tag {SERVE_TAG}")
    if "champion" in aliases:
        previous = [one for one in champions if one != aliases["champion"] and one in model.versions]
        # Until a new champion is served, the newest of the others is the one that answers.
        answering = 0 if champions[:1] == (aliases["champion"],) else 1
        for number in previous[: keep + answering]:
            reasons.setdefault(number, []).append("previous champion")
    problems: list[str] = []
    routing = _read(parse_routing, ROUTING_TAG, model.tags, problems)
    routing_unread = bool(problems)
    rollout = _read(rollouts.parse, ROLLOUT_TAG, model.tags, problems)
    settings = _read(parse_settings, SETTINGS_TAG, model.tags, problems)
    return WantedModel(
        name=model.name,
        versions={
            number: WantedVersion(found, tuple(why), identity(found, model.tags))
            for number, why in reasons.items()
            if (found := model.versions.get(number)) is not None
        },
        aliases={alias: number for alias, number in aliases.items() if number in model.versions},
        tags=model.tags,
        champions=champions,
        routing=routing,
        routing_unread=routing_unread,
        rollout=rollout,
        settings=settings,
        problems=tuple(problems),
    )


def _read(parse: Callable[[str], T], tag: str, tags: Mapping[str, str], problems: list[str]) -> T | None:
    """A tag's value; one that cannot be read is a problem to report, and counts as absent."""
    try:
        return parse(tags[tag]) if tags.get(tag) else None
    except (ValueError, RecursionError) as error:
        problems.append(f"tag {tag}: {error}")
        return None


def _stage_aliases(versions: Iterable[RegisteredVersion]) -> dict[str, int]:
    """The newest version in each stage, as MLflow 2 without aliases has it."""
    aliases: dict[str, int] = {}
    for version in sorted(versions, key=lambda one: one.number):
        alias = STAGE_ALIASES.get(version.stage or "")
        if alias:
            aliases[alias] = version.number
    return aliases


def _matches(model: RegisteredModel, pattern: str) -> bool:
    if not pattern.startswith("tag:"):
        return fnmatchcase(model.name, pattern)
    key, given, value = pattern.removeprefix("tag:").partition("=")
    return key in model.tags and (not given or model.tags[key] == value)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
