"""The journal survives kills and keeps everything."""

import logging
from pathlib import Path

import pytest

from contract.deployment import Deployment, dump, parse
from sync.journal import Journal, decisions, read


def entry(number: int, **fields: object) -> Deployment:
    values = {"at": float(number), "event": "publish", "model": "loc", "version": number, **fields}
    return Deployment(**values)  # type: ignore[arg-type]


def test_entries_are_kept_in_order_and_copied(tmp_path: Path) -> None:
    copied: list[Deployment] = []
    journal = Journal(tmp_path / "journal.jsonl", copied.append)
    for number in (1, 2):
        journal.append(entry(number))
    assert list(read(tmp_path / "journal.jsonl")) == copied == [entry(1), entry(2)]


def test_another_process_appends(tmp_path: Path) -> None:
    for number in (1, 2):
        Journal(tmp_path / "journal.jsonl", lambda _entry: None).append(entry(number))
    assert len(list(read(tmp_path / "journal.jsonl"))) == 2


def test_a_line_that_a_kill_cut_short_is_passed_over_and_the_next_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(dump(entry(1)) + b"\n" + dump(entry(2))[:20])
    Journal(path, lambda _entry: None).append(entry(3))
    with caplog.at_level(logging.WARNING):
        assert list(read(path)) == [entry(1), entry(3)]
    assert "passed over" in caplog.text


def test_a_journal_that_cannot_be_written_is_in_the_log_and_copied(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copied: list[Deployment] = []
    Journal(tmp_path / "gone" / "journal.jsonl", copied.append).append(entry(1))
    assert copied == [entry(1)]
    assert '"event":"publish"' in caplog.text


def test_there_is_no_journal_before_the_first_entry(tmp_path: Path) -> None:
    assert list(read(tmp_path / "journal.jsonl")) == []


def test_decisions_are_the_versions_that_commands_came_to(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, lambda _entry: None)
    journal.append(entry(7, event="command", cause="c-1"))
    journal.append(entry(0, event="command", cause="c-2", version=None))
    journal.append(entry(8))
    assert decisions(path) == {"c-1": 7}


def test_an_entry_is_read_as_it_was_written() -> None:
    one = entry(1, alias="champion", previous=2, by="me", duration_s=1.5)
    assert parse(dump(one)) == one
    with pytest.raises(ValueError, match=r"."):
        parse(b'{"at": 1}')
