"""A folder of recordings to try: what is offered, and that nothing else can be had."""

from pathlib import Path

import pytest

from gateway.recordings.samples import find_samples


def test_npy_files_are_offered_by_name_with_the_truth_where_it_is_known(tmp_path: Path) -> None:
    for name in ("b.npy", "a.npy", "notes.txt", ".hidden.npy"):
        (tmp_path / name).write_bytes(b"123")
    (tmp_path / "truth.json").write_text('{"a": [44.5, 9.25]}')
    found = find_samples(tmp_path)
    assert [one.document() for one in found.all] == [
        {"name": "a.npy", "bytes": 3, "truth": {"latitude": 44.5, "longitude": 9.25}},
        {"name": "b.npy", "bytes": 3},
    ]
    assert found.read("a.npy") == b"123"


def test_nothing_else_of_the_folder_or_around_it_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    folder.mkdir()
    (folder / "truth.json").write_text("{}")
    (tmp_path / "secret.npy").write_bytes(b"secret")
    (folder / "dir.npy").mkdir()
    found = find_samples(folder)
    assert [found.read(name) for name in ("truth.json", "../secret.npy", "dir.npy", "")] == [None] * 4


@pytest.mark.parametrize("truth", ["no json", '{"a": [91, 0]}', '{"a": [1]}'])
def test_a_truth_that_cannot_be_used_is_logged_and_left_out(
    tmp_path: Path, truth: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.npy").write_bytes(b"1")
    (tmp_path / "truth.json").write_text(truth)
    (one,) = find_samples(tmp_path).all
    assert one.truth is None
    assert "truth.json cannot be used" in caplog.text


def test_a_folder_that_is_not_there_offers_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert find_samples(tmp_path / "nowhere").all == ()
    assert "cannot list" in caplog.text
