"""How a model runs (pure): batch size, instances, threads, kind.

Set at a model's first publish from tags, options and what suits the machine; after that only the registered
model's tag `fixgate.settings`, which `fixgate tune --apply` writes, changes it.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

SETTINGS_TAG = "fixgate.settings"
PREFIX = "fixgate."

BatchSize = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Instances = Annotated[int, msgspec.Meta(ge=1, le=256)]
Threads = Annotated[int, msgspec.Meta(ge=1, le=1024)]
Kind = Literal["cpu", "gpu"]


class SettingsError(ValueError):
    """Settings that cannot be; the message names the tag and what is allowed."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model runs; `threads` per instance."""

    max_batch_size: BatchSize
    instances: Instances
    threads: Threads
    kind: Kind = "cpu"


class Defaults(msgspec.Struct, frozen=True):
    """What holds where no tag says otherwise.

    `instances` 0: two that share `cores`, for the threads of one wait for each other at every operator, and
    for whatever else runs on their cores (docs/performance.md); one on a single core or a GPU. `threads` 0
    shares the cores among the instances.
    """

    max_batch_size: int
    instances: int
    threads: int
    kind: Kind
    cores: int


class _Tags(msgspec.Struct, frozen=True):
    max_batch_size: BatchSize | None = None
    instances: Instances | None = None
    threads: Threads | None = None
    kind: Kind | None = None


def first(defaults: Defaults, model_tags: Mapping[str, str], version_tags: Mapping[str, str]) -> Settings:
    """Settings for a model's first publish: from single tags, the version's first, else the defaults.

    Raises:
        SettingsError: a tag with an impossible value; names it.
    """
    tags = {**model_tags, **version_tags}
    given = {name: tags[PREFIX + name] for name in _Tags.__struct_fields__ if PREFIX + name in tags}
    try:
        chosen = msgspec.convert(given, _Tags, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        raise SettingsError(f"tag {PREFIX}{path.rstrip('`')}: {message}") from error
    kind = chosen.kind or defaults.kind
    usual = 2 if kind == "cpu" and defaults.cores > 1 else 1
    instances = chosen.instances or defaults.instances or usual
    return Settings(
        max_batch_size=chosen.max_batch_size or defaults.max_batch_size,
        instances=instances,
        threads=chosen.threads or defaults.threads or max(1, defaults.cores // instances),
        kind=kind,
    )


def parse_tag(text: str) -> Settings:
    """The tag `fixgate.settings`.

    Raises:
        SettingsError: not an object of settings within their limits.
    """
    try:
        return msgspec.json.decode(text, type=Settings)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(str(error)) from error


def dump_tag(settings: Settings) -> str:
    """The tag `fixgate.settings` for these settings."""
    return msgspec.json.encode(settings).decode()
