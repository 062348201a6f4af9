"""Labelled sets in every form, and what is wrong with those that cannot be used."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cli.client import NPY, SIGMF
from cli.evaluation.labelled_set import LabelledSet, UnusableSet, open_set, regions_of

FEATURES = np.arange(12, dtype=np.float32).reshape(3, 4)
TRUTH = np.array([[45.0, 7.0], [46.0, 8.0], [47.0, 9.0]])


def files(folder: Path, labels: Any, *names: str) -> Path:
    """A folder of recordings with truth.json."""
    (folder / "truth.json").write_text(labels if isinstance(labels, str) else json.dumps(labels))
    for name in names:
        np.save(folder / name, FEATURES[0])
    return folder


def arrays(folder: Path, **given: NDArray[Any]) -> Path:
    """A folder of arrays."""
    for name, array in given.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def posted(labelled: LabelledSet, index: int) -> NDArray[Any]:
    """The array that is sent for a recording."""
    body = labelled.body(index)
    assert body.media_type == NPY
    array: NDArray[Any] = np.load(io.BytesIO(body.content), allow_pickle=False)
    return array


def test_a_folder_of_files_as_the_demo_has_it(tmp_path: Path) -> None:
    labelled = open_set(files(tmp_path, {"00": [45.1, 7.2], "01": [45, 8]}, "00.npy", "01.npy"))
    assert labelled.names == labelled.sessions == ("00", "01")
    assert labelled.truths.tolist() == [[45.1, 7.2], [45.0, 8.0]]
    assert posted(labelled, 1).tolist() == FEATURES[0].tolist()


def test_an_entry_may_name_session_and_region(tmp_path: Path) -> None:
    label = {"latitude": 45.1, "longitude": 7.2, "session": "flight 1", "region": "valley"}
    labelled = open_set(files(tmp_path, {"a": label, "b": [45, 8]}, "a.npy", "b.npy"))
    assert labelled.sessions == ("flight 1", "b")
    assert labelled.regions == ("valley", "")


def test_a_recording_may_be_sigmf(tmp_path: Path) -> None:
    files(tmp_path, {"x": [1, 2]})
    (tmp_path / "x.sigmf").write_bytes(b"tar")
    body = open_set(tmp_path).body(0)
    assert (body.content, body.media_type) == (b"tar", SIGMF)


def test_a_folder_of_arrays_is_read_row_by_row(tmp_path: Path) -> None:
    labelled = open_set(
        arrays(
            tmp_path,
            features=FEATURES,
            truth=TRUTH,
            session=np.array(["s", "s", "t"]),
            region=np.array(["r"] * 3),
        )
    )
    assert len(labelled) == 3
    assert posted(labelled, 2).tolist() == FEATURES[2].tolist()
    assert labelled.sessions == ("s", "s", "t")
    assert labelled.regions == ("r", "r", "r")


def test_an_npz_file_is_the_same(tmp_path: Path) -> None:
    iq = (FEATURES + 1j).astype(np.complex64)
    np.savez(tmp_path / "set.npz", iq=iq, truth=TRUTH)
    labelled = open_set(tmp_path / "set.npz")
    assert (posted(labelled, 0) == iq[0]).all()
    assert labelled.sessions == ("0", "1", "2")


def test_without_regions_places_are_told_apart_by_compass_into_equal_thirds() -> None:
    grid = np.array([[lat, lon] for lat in range(9) for lon in range(9)], float)
    named = dict(zip(map(tuple, grid.tolist()), regions_of(grid), strict=True))
    assert named[0, 0] == "south-west"
    assert named[4, 4] == "middle"
    assert named[8, 8] == "north-east"
    assert named[8, 4] == "north"
    assert named[4, 0] == "west"
    assert all(list(named.values()).count(name) == 9 for name in set(named.values()))


def test_the_compass_is_right_across_the_antimeridian() -> None:
    places = np.array([[0.0, lon] for lon in (178.0, 179.0, 179.5, -179.5, -179.0, -178.0)])
    assert [name.rpartition("-")[2] for name in regions_of(places)][:2] == ["west", "west"]
    assert [name.rpartition("-")[2] for name in regions_of(places)][-2:] == ["east", "east"]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ("{", r"truth\.json: not JSON"),
        ([], r"truth\.json: must be an object"),
        ({}, r"truth\.json: must be an object with an entry"),
        ({"a": [45]}, r"truth\.json: a: must be \[latitude, longitude\]"),
        ({"a": {"latitude": 1}}, "a: must be"),
        ({"a": {"latitude": 1, "longitude": 2, "altitude": 3}}, "a: must be"),
        ({"a": ["45", 7]}, r"a\.latitude: must be a number, got '45'"),
        ({"a": [45, True]}, r"a\.longitude: must be a number"),
        ({"a": [95, 7]}, r"a: no place on earth: \[95"),
        ({"a": [45, 400]}, "a: no place on earth"),
        ('{"a": [NaN, 7]}', "a: no place on earth"),
        ({"b": [45, 7]}, r"b is in truth\.json, but there is no b\.npy"),
    ],
)
def test_what_is_wrong_with_truth_json_is_named(tmp_path: Path, labels: Any, told: str) -> None:
    with pytest.raises(UnusableSet, match=told):
        open_set(files(tmp_path, labels, "a.npy"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"truth": TRUTH}, "needs `truth` and one of `iq` and `features`"),
        ({"truth": TRUTH, "iq": FEATURES, "features": FEATURES}, "one of `iq` and `features`"),
        ({"truth": TRUTH, "features": FEATURES[:2]}, "features has 2 entries, truth has 3"),
        ({"truth": TRUTH, "features": FEATURES, "session": np.array(["a"])}, "session has 1 entries"),
        ({"truth": TRUTH[:, :1], "features": FEATURES}, r"\(N, 2\)"),
        ({"truth": TRUTH[:0], "features": FEATURES[:0]}, "N ≥ 1"),
        ({"truth": TRUTH + 90, "features": FEATURES}, r"0: no place on earth: \[135"),
        ({"truth": TRUTH, "features": np.array([{}, {}, {}])}, r"features\.npy"),
    ],
)
def test_what_is_wrong_with_arrays_is_named(tmp_path: Path, given: dict[str, Any], told: str) -> None:
    with pytest.raises(UnusableSet, match=told):
        open_set(arrays(tmp_path, **given))


def test_anything_else_is_no_set(tmp_path: Path) -> None:
    with pytest.raises(UnusableSet, match=r"neither truth\.json nor truth\.npy"):
        open_set(tmp_path)
