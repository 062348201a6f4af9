"""How a model runs from its first publish on (pure): tags before options before what suits the machine."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from sync.config import Config
from sync.errors import Refused
from sync.pbtxt import Settings

PREFIX = "fixgate."


class _Tags(msgspec.Struct, frozen=True):
    max_batch_size: Annotated[int, msgspec.Meta(ge=1, le=4096)] | None = None
    instances: Annotated[int, msgspec.Meta(ge=1, le=256)] | None = None
    threads: Annotated[int, msgspec.Meta(ge=1, le=1024)] | None = None
    kind: Literal["cpu", "gpu"] | None = None


def first(
    config: Config, cores: int, model_tags: Mapping[str, str], version_tags: Mapping[str, str]
) -> Settings:
    """Settings for a model's first config; the version's tags before the registered model's.

    Raises:
        Refused: a tag with an impossible value; names it.
    """
    tags = {**model_tags, **version_tags}
    given = {name: tags[PREFIX + name] for name in _Tags.__struct_fields__ if PREFIX + name in tags}
    try:
        chosen = msgspec.convert(given, _Tags, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        raise Refused("settings", f"tag {PREFIX}{path.rstrip('`')}: {message}") from error
    instances = chosen.instances or config.instances
    return Settings(
        max_batch_size=chosen.max_batch_size or config.max_batch_size,
        instances=instances,
        threads=chosen.threads or config.threads or max(1, cores // instances),
        kind=chosen.kind or config.kind,
    )
