"""The keys in force."""

import os
from pathlib import Path

import pytest

from gateway.access import key_file
from gateway.access.key_file import KeyFileError, Scope, make_key
from gateway.access.keyring import RECHECK_S, Keyring
from tests.gateway.conftest import Clock


def test_the_file_is_looked_at_at_most_once_a_second(tmp_path: Path) -> None:
    file, clock = tmp_path / "keys", Clock()
    file.touch()
    ring = Keyring(file, clock)
    key, stored = make_key("one", [Scope.READ])
    key_file.add(file, stored)
    clock.now += RECHECK_S / 2
    assert ring.find(key) is None
    clock.now += RECHECK_S / 2
    assert ring.find(key) == stored
    assert len(ring) == 1


def test_a_change_that_keeps_size_and_time_is_noticed(tmp_path: Path) -> None:
    """As when a mounted secret is exchanged: another file in its place."""
    file, clock = tmp_path / "keys", Clock()
    key, stored = make_key("one", [Scope.READ])
    key_file.add(file, stored)
    ring = Keyring(file, clock)
    before = file.stat()
    other = tmp_path / "other"
    other.write_text(file.read_text().replace('"one"', '"two"'))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)
    clock.now += RECHECK_S
    found = ring.find(key)
    assert found is not None
    assert found.name == "two"


def test_it_does_not_start_without_a_good_file(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        Keyring(tmp_path / "none", Clock())
