"""Refused versions stay refused until they change, over restarts."""

from pathlib import Path

import pytest

from sync.quarantine import Quarantine, Refusal

KEY = ("loc", 1)
ONE = Refusal("loc", 1, "identity", "load", "cannot", 5.0)


def test_a_refusal_outlives_the_process(tmp_path: Path) -> None:
    Quarantine(tmp_path / "q.json").add(ONE)
    again = Quarantine(tmp_path / "q.json")
    assert again.get(KEY) == ONE
    assert again.identities == {KEY: "identity"}


@pytest.mark.parametrize(("now", "left"), [({KEY: "identity"}, (ONE,)), ({KEY: "changed"}, ()), ({}, ())])
def test_a_refusal_ends_when_the_version_changes_or_goes(
    tmp_path: Path, now: dict[tuple[str, int], str], left: tuple[Refusal, ...]
) -> None:
    quarantine = Quarantine(tmp_path / "q.json")
    quarantine.add(ONE)
    quarantine.keep(now)
    assert quarantine.refusals == left
    assert Quarantine(tmp_path / "q.json").refusals == left


def test_a_refusal_holds_even_when_it_cannot_be_written(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "gone" / "q.json")
    quarantine.add(ONE)
    assert quarantine.get(KEY) == ONE


def test_a_file_that_cannot_be_read_costs_one_more_try(tmp_path: Path) -> None:
    (tmp_path / "q.json").write_text("{")
    assert Quarantine(tmp_path / "q.json").refusals == ()
