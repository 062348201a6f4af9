"""What became of each version's traffic, as every gateway records it and sync's guards and people read it.

One record per model, version, window of time and gateway process. A window of a model is one hash in Redis;
its fields are the versions' records, one per process (`field_name`), written whole and again while the window
lasts: a write that is lost is made good by the next. Two series are kept: a fine one for what happens
now, a coarse one for what happened this week. A record that cannot be read is passed over.
"""

import contextlib
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import field

from contract import keys
from contract.histogram import Count, Histogram, merged

OWN_DEADLINE = "OwnDeadline"
"""Stands for the class of an error where the client allowed less time than requests of its kind have."""

CLIENT_ERRORS = frozenset({"InvalidInput", "TooLarge", "UnsupportedMedia", OWN_DEADLINE})
"""Classes of error that are the client's doing and say nothing against a version."""


class Series(NamedTuple):
    """Windows of `window_s` seconds that start at its multiples, kept for `keep_s` seconds."""

    window_s: int
    keep_s: int

    def start(self, at: float) -> int:
        """When the window that holds `at` starts; Unix seconds."""
        return math.floor(at / self.window_s) * self.window_s


FINE = Series(10, 3_600)
COARSE = Series(600, 7 * 86_400)
SERIES = (FINE, COARSE)


class VersionRecord(msgspec.Struct, omit_defaults=True):
    """Counts; every recording of a batch counts as one.

    answered: predictions given to clients. errors: recordings that got none, by class of error.
    hits, looked_up: of those answered, how many came from the cache and how many asked it.
    fell_back: this version's to answer, but another one did because this one was not available; they count
        as answered there.
    latency_ms: of those answered, from the head of the request. semi_major_m: their 1 σ.

    Mirrored are copies of recordings that another version answered, made for comparison only:
    mirrored: compared. mirror_errors: failed, by class of error. skipped: not tried, by reason.
    mirror_latency_ms: of the copies that were computed, from leaving the queue.
    shift_m, overlap: of every recording of which both fixes are known, whichever version answered it: the
    distance to the champion's fix, and the Bhattacharyya coefficient of both (0 = apart, 1 = equal).
    champion_semi_major_m: 1 σ of the champion's fix of the same recordings.
    """

    answered: Count = 0
    errors: dict[str, Count] = {}
    hits: Count = 0
    looked_up: Count = 0
    fell_back: Count = 0
    latency_ms: Histogram = field(default_factory=Histogram)
    semi_major_m: Histogram = field(default_factory=Histogram)
    mirrored: Count = 0
    mirror_errors: dict[str, Count] = {}
    skipped: dict[str, Count] = {}
    mirror_latency_ms: Histogram = field(default_factory=Histogram)
    shift_m: Histogram = field(default_factory=Histogram)
    overlap: Histogram = field(default_factory=Histogram)
    champion_semi_major_m: Histogram = field(default_factory=Histogram)

    @property
    def requests(self) -> int:
        """Recordings that this version was to answer, whatever became of them."""
        return self.answered + self.fell_back + sum(self.errors.values())

    @property
    def faults(self) -> int:
        """Errors but for the client's own, and what another version had to answer."""
        errors = sum(count for name, count in self.errors.items() if name not in CLIENT_ERRORS)
        return errors + self.fell_back

    @property
    def error_rate(self) -> float | None:
        """Share of faults among answers and faults, or None of none."""
        return _share(self.faults, self.answered + self.faults)

    @property
    def hit_rate(self) -> float | None:
        """Share of hits among the answers that asked the cache, or None of none."""
        return _share(self.hits, self.looked_up)

    @property
    def relative_shift(self) -> float | None:
        """Median of `shift_m` as a multiple of the median of `champion_semi_major_m`; None of none."""
        shift, axis = self.shift_m.quantile(0.5), self.champion_semi_major_m.quantile(0.5)
        return shift / axis if shift is not None and axis else None


def merge(records: Iterable[VersionRecord]) -> VersionRecord:
    """What they say together."""
    parts = list(records)
    names = VersionRecord.__struct_fields__
    return VersionRecord(
        **{name: _together([getattr(part, name) for part in parts]) for name in names if parts}
    )


def dump(record: VersionRecord) -> bytes:
    """The record as JSON."""
    return msgspec.json.encode(record)


def parse(document: bytes) -> VersionRecord:
    """Read a record.

    Raises:
        ValueError: not JSON, or a field of the wrong type or out of range.
    """
    return msgspec.json.decode(document, type=VersionRecord)


def field_name(version: int, process: str) -> str:
    """The field under which a process keeps a version's record in a window's hash."""
    return f"{version}/{process}"


def window_keys(model: str, since: float, until: float) -> list[str]:
    """The hashes to read for what happened from `since` to `until`, Unix seconds, oldest first.

    Whole windows: the first may hold up to one window of what came before. The fine series, or the coarse
    one when the fine one does not reach back so far.
    """
    series = FINE if until - since <= FINE.keep_s - FINE.window_s else COARSE
    starts = range(series.start(since), math.floor(until) + 1, series.window_s)
    return [keys.version_records(model, series.window_s, start) for start in starts]


def merge_windows(windows: Iterable[Mapping[bytes, bytes]]) -> dict[int, VersionRecord]:
    """Each version's record over hashes as Redis gives them (field to document)."""
    found: dict[int, list[VersionRecord]] = {}
    for window in windows:
        for name, document in window.items():
            with contextlib.suppress(ValueError):
                version, record = int(name.split(b"/")[0]), parse(document)
                found.setdefault(version, []).append(record)
    return {version: merge(records) for version, records in sorted(found.items())}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _together(values: list[Any]) -> Any:
    """Histograms merge, dictionaries add up by key, numbers add up."""
    if isinstance(values[0], Histogram):
        return merged(values)
    if isinstance(values[0], dict):
        return {name: sum(one.get(name, 0) for one in values) for one_of in values for name in one_of}
    return sum(values)
