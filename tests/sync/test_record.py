"""A version's record and digest."""

import hashlib
from pathlib import Path

import pytest

from sync import record
from tests.sync import makers


def test_a_record_is_read_as_it_was_written() -> None:
    one = makers.record(makers.registered(3, run_id="abc"), run_id="abc", latency_ms={"1": 0.5})
    assert record.parse(record.dump(one)) == one


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b'{"schema": 1}'])
def test_what_is_no_record_is_an_error(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        record.parse(document)


def test_files_are_digested_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "CHUNK", 3)
    (tmp_path / "a").write_bytes(b"12345678")
    assert record.file_digests(tmp_path, ("a",)) == {"a": hashlib.sha256(b"12345678").hexdigest()}


def test_the_digest_is_of_all_files_and_their_names_in_any_order() -> None:
    one = record.digest({"model.onnx": "aa", "weights": "bb"})
    assert one == record.digest({"weights": "bb", "model.onnx": "aa"})
    assert (
        len({one, record.digest({"model.onnx": "aa"}), record.digest({"model.onnx": "aa", "w": "bb"})}) == 3
    )
