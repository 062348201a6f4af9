"""A rollout: a version's share of the traffic is raised step by step while its guards hold.

Kept as JSON in the registered-model tag `fixgate.rollout`, and told to the gateways in the catalogue.
"""

from itertools import pairwise
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Percent = Annotated[float, Meta(gt=0, le=100)]

MAX_STEPS = 50
MIN_EVERY_S, MAX_EVERY_S = 1.0, 30 * 86_400.0

Phase = Literal["waiting", "running", "promoted", "aborted", "failed"]
"""waiting: the version is not served yet. failed: a guard did not hold, or the ground was taken from it."""


class Guards(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must hold in every step; None: does not matter.

    max_error_rate: of the version's requests.
    max_p95_ms: time of the version's answers.
    max_shift: median distance between both models' fixes of the same recordings, as a multiple of the
        champion's median 1 σ semi-major axis.
    min_requests: answered by the version in a step before anything is judged by it.
    """

    max_error_rate: Annotated[float, Meta(ge=0, le=1)] | None = 0.01
    max_p95_ms: Annotated[float, Meta(gt=0)] | None = 500.0
    max_shift: Annotated[float, Meta(gt=0)] | None = 0.5
    min_requests: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 200


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How: shares in percent, ascending; each for at least `every_s` seconds; after the last, promotion."""

    steps: Annotated[tuple[Percent, ...], Meta(min_length=1, max_length=MAX_STEPS)] = (1, 5, 25, 50, 100)
    every_s: Annotated[float, Meta(ge=MIN_EVERY_S, le=MAX_EVERY_S)] = 300.0
    guards: Guards = Guards()

    def __post_init__(self) -> None:
        if any(after <= before for before, after in pairwise(self.steps)):
            raise ValueError("steps must ascend")


class Rollout(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rollout and how far it is. Times are Unix seconds.

    champion: the version that it began beside.
    step: index into the plan's steps; `since`: when that step began.
    salt: of the policy before it, so that sessions stay where they are.
    reason: why it ended.
    """

    id: str
    version: int
    champion: int
    plan: Plan
    by: str
    started_at: float
    phase: Phase = "waiting"
    step: int = 0
    since: float = 0.0
    paused: bool = False
    ended_at: float | None = None
    salt: str = ""
    reason: str = ""

    @property
    def active(self) -> bool:
        """Whether it decides about the traffic."""
        return self.phase in ("waiting", "running")

    @property
    def share(self) -> float:
        """The version's share of the traffic, in percent, as far as this rollout decides about it."""
        return self.plan.steps[self.step] if self.phase == "running" else 0.0

    @property
    def weights(self) -> dict[str, float]:
        """The shares as weights: the champion by its alias, so that its stand-in counts as well."""
        return {"champion": 100.0 - self.share, str(self.version): self.share}


def dump(rollout: Rollout) -> str:
    """The rollout as JSON."""
    return msgspec.json.encode(rollout).decode()


def parse(text: str) -> Rollout:
    """Read a rollout.

    Raises:
        ValueError: not JSON of that form.
    """
    rollout = msgspec.json.decode(text, type=Rollout)
    if not 0 <= rollout.step < len(rollout.plan.steps):
        raise ValueError(f"step {rollout.step} is none of the plan's {len(rollout.plan.steps)}")
    return rollout
