"""What a listing of a repository in object storage means (pure).

There are no folders and no renames, so a version's files come and go one by one. Two of them say how far that
is: the proof is the first to come and the last to go, so that what a kill leaves is known as sync's own; the
record is the last to come and the first to go, so that a version with a record is complete.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sync import pbtxt, record
from sync.errors import Refused
from sync.repository import VERSION

READABLE = re.compile(r"[0-9A-Za-z._/-]+")
"""What Triton can read the name of a file in another store than Amazon's in."""

MAX_KEY_BYTES = 1024


@dataclass(slots=True)
class ModelObjects:
    """One model's keys: `versions` by number and name in the version, `others` lie beside them.

    Keys that end with a slash stand for empty folders; some tools make them.
    """

    config: str | None = None
    versions: dict[int, dict[str, str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    def unfinished(self, named: Iterable[int]) -> list[int]:
        """Versions of sync's that lack their record, but for those that the config names."""
        return sorted(
            number
            for number, names in self.versions.items()
            if record.PROOF in names and record.NAME not in names and number not in named
        )

    @property
    def ours_without_config(self) -> bool:
        """Whether this is what a first publication, or the removal of a whole model, leaves when cut off."""
        return (
            self.config is None
            and bool(self.versions)
            and all(record.PROOF in names or record.NAME in names for names in self.versions.values())
            and all(key.endswith("/") for key in self.others)
        )


def model_objects(keys: Iterable[str]) -> Mapping[str, ModelObjects]:
    """Keys below the root, by model; what lies in the root itself is a model without anything."""
    models: dict[str, ModelObjects] = {}
    for key in keys:
        name, _, rest = key.partition("/")
        model = models.setdefault(name, ModelObjects())
        number, _, file = rest.partition("/")
        if rest == pbtxt.NAME:
            model.config = key
        elif file and VERSION.fullmatch(number):
            model.versions.setdefault(int(number), {})[file] = key
        else:
            model.others.append(key)
    return models


def order_of_upload(names: Iterable[str]) -> list[str]:
    """A version's files in the order in which they come: the proof, all others, the record."""
    return sorted(names, key=lambda name: (name == record.NAME, name != record.PROOF, name))


def order_of_removal(names: Iterable[str]) -> list[str]:
    """The other way round."""
    return order_of_upload(names)[::-1]


def check_key(place: str, name: str) -> None:
    """Whether a file of this name can be an object below a place.

    Raises:
        Refused: it cannot; says which characters or how many bytes are allowed.
    """
    if not READABLE.fullmatch(name):
        raise Refused(
            "external_data", f"file {name!r}: in object storage, letters, digits, '.', '_' and '-' only"
        )
    if len(place + name) > MAX_KEY_BYTES:
        raise Refused(
            "external_data", f"file {name!r}: its key {place}{name} is longer than {MAX_KEY_BYTES} bytes"
        )
