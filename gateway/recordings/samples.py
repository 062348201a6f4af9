"""Recordings that the console offers to try: a folder of npy files, and `truth.json` where it is known."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

log = logging.getLogger(__name__)

MOST = 100
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}\.npy", re.ASCII)

Truth = tuple[Annotated[float, Meta(ge=-90, le=90)], Annotated[float, Meta(ge=-180, le=180)]]
"""Latitude and longitude, degrees."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One recording."""

    path: Path
    size: int
    truth: Truth | None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        told: dict[str, Any] = {"name": self.path.name, "bytes": self.size}
        if self.truth is not None:
            told["truth"] = dict(zip(("latitude", "longitude"), self.truth, strict=True))
        return told


@dataclass(frozen=True, slots=True)
class Samples:
    """The recordings of a folder, by name."""

    all: tuple[Sample, ...]

    def read(self, name: str) -> bytes | None:
        """One recording's bytes, or None when there is none of that name."""
        found = next((one for one in self.all if one.path.name == name), None)
        return found.path.read_bytes() if found else None


def find_samples(folder: Path) -> Samples:
    """What lies in the folder now; a folder or a truth that cannot be read is logged and left out."""
    try:
        paths = sorted(one for one in folder.iterdir() if _NAME.fullmatch(one.name) and one.is_file())
    except OSError as error:
        log.warning("FIXGATE_CONSOLE_SAMPLES: cannot list %s: %s", folder, error.strerror)
        return Samples(())
    truth = _truth(folder / "truth.json")
    return Samples(tuple(Sample(path, path.stat().st_size, truth.get(path.stem)) for path in paths[:MOST]))


def _truth(path: Path) -> dict[str, Truth]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Truth])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("FIXGATE_CONSOLE_SAMPLES: %s cannot be used: %s", path.name, error)
        return {}
