"""What sync would change, found by looking only: for `fixgate plan`."""

from dataclasses import dataclass, replace

from sync import catalogue, observation
from sync.config import Config
from sync.desired import WantedVersion
from sync.feed import Feed
from sync.location import open_repository
from sync.observation import Observation
from sync.plan import Action, Clear, Publish, Reconfigure, Refuse, Retire, Situation, Stage, plan
from sync.progress import Progress
from sync.quarantine import Quarantine
from sync.registry import Registry
from sync.settings import dump_tag
from sync.survey import survey
from sync.triton import Triton


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that would change: `what` is a verb, `why` says on whose account."""

    model: str
    version: int | None
    what: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """All that would change, what is refused already, and what was wrong while looking."""

    differences: tuple[Difference, ...]
    refused: tuple[Difference, ...]
    problems: tuple[str, ...]
    fresh: bool


def preview(config: Config) -> Preview:
    """Look, and change nothing.

    Raises:
        Misconfigured: the repository is in object storage, and boto3 is not installed.
        RepositoryUnavailable: the repository cannot be read.
    """
    quarantine = Quarantine(config.home / "quarantine.json")
    feed = Feed(config.redis_url, config.home / "catalog.json", config.default_model)
    try:
        feed.start()
        seen = survey(
            config,
            Registry(config.mlflow_uri),
            open_repository(config),
            [Triton(address) for address in config.triton_http],
        )
        return Preview(
            differences(seen, feed, quarantine.identities),
            tuple(
                Difference(one.model, one.version, "refused", f"{one.fault}: {one.reason}")
                for one in quarantine.refusals
            ),
            seen.problems,
            seen.fresh,
        )
    finally:
        feed.close()


def differences(seen: Observation, feed: Feed, refused: dict[tuple[str, int], str]) -> tuple[Difference, ...]:
    """From what is served now to what the registry wants, in the order in which it would happen."""
    progress = Progress()
    progress.trust(feed.last)
    proved = progress.proved(seen.live)
    situation = Situation(
        proven=frozenset(proved),
        refused=refused,
        loaded=observation.loaded_keys(seen.states),
        lowered=frozenset(seen.desired),
    )
    draft = catalogue.draft(
        seen.desired,
        seen.live,
        situation,
        feed.last,
        catalogue.Circumstances(now=seen.now, proven=proved),
    )
    drained = replace(situation, drained=observation.standing_keys(seen.live))
    found = [one for action in plan(seen.desired, seen.live, drained) for one in _of(action)]
    found += [
        Difference(
            move.model,
            move.after,
            f"alias {move.alias}: {move.before or 'nowhere'} -> {move.after or 'nowhere'}",
        )
        for move in observation.moved_aliases(observation.served_models(feed.last), draft.models)
    ]
    return tuple(found)


def _of(action: Action) -> list[Difference]:
    match action:
        case Stage(wanted):
            return [_difference("fetch, prove, publish", wanted)]
        case Publish(wanted):
            return [_difference("publish", wanted)]
        case Refuse(wanted, fault, reason):
            return [_difference("refuse", wanted, f"{fault}: {reason}")]
        case Reconfigure(model, settings):
            return [Difference(model, None, "load every version again", dump_tag(settings))]
        case Clear(model):
            return [
                Difference(model, None, "clear", "left by a publication or removal that was not finished")
            ]
        case Retire(model, versions):
            return [Difference(model, number, "retire", "no longer wanted") for number in versions]


def _difference(what: str, wanted: WantedVersion, why: str = "") -> Difference:
    version = wanted.version
    return Difference(version.model, version.number, what, why or ", ".join(wanted.reasons))
