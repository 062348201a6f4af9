"""Recordings whose true positions are known, as docs/uncertainty.md says that they are stored."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cli.client import NPY
from cli.recording_file import Body, read

Array = NDArray[np.float64]

TRUTH_KEYS = frozenset({"latitude", "longitude", "session", "region"})
INPUTS = ("iq", "features")
DIRECTIONS = (
    ("south-west", "south", "south-east"),
    ("west", "middle", "east"),
    ("north-west", "north", "north-east"),
)


class UnusableSet(ValueError):
    """A labelled set that cannot be used; the message names file, field and what is allowed."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSet:
    """N recordings.

    names, sessions, regions: (N,); a recording without a session has its own.
    truths: (N, 2) latitude and longitude, degrees.
    body: what to post for a recording, by its index; may be called from many threads.
    """

    names: tuple[str, ...]
    truths: Array
    sessions: tuple[str, ...]
    regions: tuple[str, ...]
    body: Callable[[int], Body]

    def __len__(self) -> int:
        return len(self.names)


def open_set(path: Path) -> LabelledSet:
    """Open a set: a folder with `truth.json`, a folder of arrays with `truth.npy`, or one `.npz`.

    Raises:
        UnusableSet: none of these, something missing, or a value that cannot be.
        OSError: it cannot be read.
    """
    if path.is_file() and path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return _from_arrays(path, {name: archive[name] for name in archive.files})
    if (path / "truth.json").is_file():
        return _from_files(path)
    if (path / "truth.npy").is_file():
        files = (path / f"{name}.npy" for name in (*INPUTS, "truth", "session", "region"))
        return _from_arrays(path, {file.stem: _mapped(file) for file in files if file.is_file()})
    raise UnusableSet(f"{path}: neither truth.json nor truth.npy is in it, nor is it an .npz file")


def regions_of(truths: Array) -> tuple[str, ...]:
    """A compass name for each place: thirds of the latitudes and of the longitudes, equally filled."""
    centre = np.degrees(np.angle(np.exp(1j * np.radians(truths[:, 1])).mean()))
    across = (truths[:, 1] - centre + 180) % 360 - 180  # a set may lie astride the antimeridian
    rows, columns = (np.searchsorted(np.quantile(one, [1 / 3, 2 / 3]), one) for one in (truths[:, 0], across))
    return tuple(DIRECTIONS[row][column] for row, column in zip(rows.tolist(), columns.tolist(), strict=True))


def _from_files(folder: Path) -> LabelledSet:
    source = folder / "truth.json"
    try:
        labels = json.loads(source.read_bytes())
    except ValueError as error:
        raise UnusableSet(f"{source}: not JSON: {error}") from None
    if not isinstance(labels, dict) or not labels:
        raise UnusableSet(f"{source}: must be an object with an entry for each recording")
    entries = {name: _entry(source, name, label) for name, label in labels.items()}
    files = {name: _recording(folder, name) for name in entries}
    names = tuple(entries)
    return _labelled(
        source,
        names=names,
        truths=np.array([(entry["latitude"], entry["longitude"]) for entry in entries.values()], float),
        sessions=[str(entry.get("session", name)) for name, entry in entries.items()],
        regions=[str(entry.get("region", "")) for entry in entries.values()],
        body=lambda index: read(files[names[index]]),
    )


def _entry(source: Path, name: str, label: Any) -> Mapping[str, Any]:
    """`[latitude, longitude]`, or an object with these and perhaps `session` and `region`."""
    if isinstance(label, list) and len(label) == 2:
        label = {"latitude": label[0], "longitude": label[1]}
    allowed = "[latitude, longitude] or an object of latitude, longitude, session, region"
    if not isinstance(label, dict) or not {"latitude", "longitude"} <= label.keys() <= TRUTH_KEYS:
        raise UnusableSet(f"{source}: {name}: must be {allowed}")
    for axis in ("latitude", "longitude"):
        if isinstance(label[axis], bool) or not isinstance(label[axis], int | float):
            raise UnusableSet(f"{source}: {name}.{axis}: must be a number, got {label[axis]!r}")
    return label


def _recording(folder: Path, name: str) -> Path:
    for suffix in (".npy", ".sigmf", ".sigmf-meta"):
        path = folder / f"{name}{suffix}"
        if path.is_file():
            return path
    raise UnusableSet(f"{folder}: {name} is in truth.json, but there is no {name}.npy or {name}.sigmf")


def _mapped(path: Path) -> NDArray[Any]:
    """An array on disk, read as it is needed."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except ValueError as error:
        raise UnusableSet(f"{path}: {error}") from None


def _from_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> LabelledSet:
    inputs = [name for name in INPUTS if name in arrays]
    if "truth" not in arrays or len(inputs) != 1:
        raise UnusableSet(f"{path}: needs `truth` and one of `iq` and `features`, has {sorted(arrays)}")
    data, count = arrays[inputs[0]], len(arrays["truth"])
    for name, array in arrays.items():
        if len(array) != count:
            raise UnusableSet(f"{path}: {name} has {len(array):,} entries, truth has {count:,}")
    names = tuple(str(index) for index in range(count))
    return _labelled(
        path,
        names=names,
        truths=np.asarray(arrays["truth"], float),
        sessions=[str(one) for one in arrays.get("session", names)],
        regions=[str(one) for one in arrays.get("region", [""] * count)],
        body=lambda index: Body(_npy(data[index]), NPY),
    )


def _labelled(
    source: Path,
    *,
    names: tuple[str, ...],
    truths: Array,
    sessions: Sequence[str],
    regions: Sequence[str],
    body: Callable[[int], Body],
) -> LabelledSet:
    if truths.shape != (len(names), 2) or not names:
        raise UnusableSet(f"{source}: truth must be (N, 2), N ≥ 1: latitude, longitude; it is {truths.shape}")
    impossible = ~np.isfinite(truths).all(axis=1) | (np.abs(truths) > (90, 360)).any(axis=1)
    if impossible.any():
        first = int(np.argmax(impossible))
        raise UnusableSet(f"{source}: {names[first]}: no place on earth: {truths[first].tolist()}")
    named = tuple(regions) if any(regions) else regions_of(truths)
    return LabelledSet(names, truths, tuple(sessions), named, body)


def _npy(row: NDArray[Any]) -> bytes:
    written = io.BytesIO()
    np.save(written, row, allow_pickle=False)
    return written.getvalue()
