"""What a model repository is to the rest of sync (pure): what stands in it, and what can be done to it.

There are two: a folder (`folder_repository.py`) and a prefix in object storage (`s3_repository.py`). Triton
polls and may look at any moment, so both keep to one order: a version's files first, its record with them or
after them, and `config.pbtxt` last, which is the commit point. Retiring goes the other way round.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sync.pbtxt import ServingConfig
from sync.record import Record

TRIAL_PREFIX = "fixgate-tune-"
"""Beginning of the names of models that `fixgate tune` tries out; nobody's business but its own."""

VERSION = re.compile(r"[1-9][0-9]{0,17}")

NOT_MODELS = ("README.md",)
"""What may lie in a repository's root besides models."""


@dataclass(frozen=True, slots=True)
class LiveModel:
    """One model that sync owns. A version whose record cannot be read is there as None."""

    name: str
    config: ServingConfig
    versions: Mapping[int, Record | None] = field(default_factory=dict)

    @property
    def configured(self) -> frozenset[int]:
        """Versions that Triton is told to serve and whose files are there."""
        return frozenset(self.config.versions) & frozenset(self.versions)


@dataclass(frozen=True, slots=True)
class Live:
    """All that stands in the repository.

    Attributes:
        foreign: entries that sync does not own.
        unfinished: models of which a publication or removal of sync's has left parts that nothing serves.
    """

    models: Mapping[str, LiveModel] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()


class Lock(Protocol):
    """One sync per repository: held until released, or until its owner is gone."""

    def acquire(self) -> bool:
        """Take the lock if it is free; whether it is ours now."""

    def release(self) -> None:
        """Give the lock back."""


class Repository(Protocol):
    """A model repository and the staging folder that belongs to it.

    Whatever reads or writes raises RepositoryUnavailable (in a folder, some of it OSError) when the
    repository does not answer or refuses; what was begun then stands unfinished, is seen by `observe`, and is
    finished or cleared by a later pass.
    """

    def lock(self) -> Lock:
        """The lock that a sync has to hold before it prepares and changes the repository."""

    def prepare(self) -> None:
        """See that the repository can be used, and clear what a kill left where Triton does not look.

        Raises:
            Misconfigured: an option is wrong; names it.
            RepositoryUnavailable: it cannot be used now.
        """

    def observe(self) -> Live:
        """Read what stands in the repository."""

    def new_folder(self, label: str) -> Path:
        """A new empty folder in staging."""

    def drop(self, folder: Path) -> None:
        """Delete a folder in staging that is not needed any more."""

    def add_model(self, config: ServingConfig, number: int, version: Path) -> None:
        """Publish a model's first version: this folder in staging, and the config."""

    def add_version(self, model: str, number: int, version: Path) -> None:
        """Put a version's folder in its place; Triton passes it over until the config names it."""

    def write_config(self, config: ServingConfig) -> None:
        """Replace a model's config: the commit point."""

    def remove_version(self, model: str, number: int) -> None:
        """Take a version's files out; the config must not name it any more."""

    def remove_model(self, model: str) -> None:
        """Take a model out, its config first."""

    def clear(self, model: str) -> None:
        """Take out what is unfinished of a model."""

    def read_config(self, model: str) -> ServingConfig | None:
        """The config in place, or None when there is no such model."""

    def has_version(self, model: str, number: int) -> bool:
        """Whether a version stands there, complete."""

    def read_proof(self, model: str, number: int) -> bytes:
        """What preflight recorded of a version that stands there (`record.PROOF`)."""

    def add_trial(self, config: ServingConfig, known: Record) -> None:
        """Publish the same files as version 1 of a model of another name, the config's."""

    def trials(self) -> list[str]:
        """Names of the trial models that stand there."""
