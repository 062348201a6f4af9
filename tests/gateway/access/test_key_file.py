"""API keys at rest."""

import threading
from pathlib import Path

import msgspec
import pytest

from gateway.access import key_file
from gateway.access.key_file import KeyFileError, Scope, make_key


def line(**changes: object) -> bytes:
    """A line of a file, with some fields changed; a field that is None is left out."""
    fields = msgspec.to_builtins(make_key("one", [Scope.READ])[1]) | changes
    return msgspec.json.encode({name: value for name, value in fields.items() if value is not None}) + b"\n"


def test_a_key_matches_what_is_kept_of_it_and_no_other_does() -> None:
    key, stored = make_key("one", [Scope.READ, Scope.PREDICT, Scope.READ])
    assert stored.matches(key)
    assert not stored.matches(make_key("one", [Scope.READ])[0])
    assert key_file.key_id(key) == stored.key_id
    assert stored.scopes == (Scope.PREDICT, Scope.READ)


def test_the_key_is_not_in_what_is_kept_and_equal_keys_are_kept_differently() -> None:
    key, stored = make_key("one", [Scope.READ])
    assert key.rpartition(stored.key_id)[2].strip("_") not in msgspec.json.encode(stored).decode()
    others = [make_key("one", [Scope.READ])[1] for _ in range(3)]
    assert len({(other.salt, other.digest, other.key_id) for other in (*others, stored)}) == 4
    assert not msgspec.structs.replace(stored, salt=others[0].salt).matches(key)


@pytest.mark.parametrize("name", ["", "a b", "a\n", "é", "x" * 65, "[red]"])
def test_a_name_that_could_forge_a_line_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 64 letters"):
        make_key(name, [Scope.READ])


@pytest.mark.parametrize("text", ["", "x", "fixgate_", "fixgate_0123456789ab_short", "\udcff" * 64])
def test_what_is_not_of_a_keys_form_has_no_id(text: str) -> None:
    assert key_file.key_id(text) is None


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (b"{", "truncated"),
        (b"[]\n", "Expected `object`"),
        (b"\xff\n", "malformed"),
        (line(salt=None), "salt"),
        (line(digest="00"), "digest"),
        (line(scopes=[]), "scopes"),
        (line(scopes=["root"]), "root"),
        (line(name="a b"), "name"),
        (line(created="yesterday"), "created"),
        (line(created="2026-01-01T00:00:00"), "created"),
        (line(expires="2026-01-01"), "expires"),
    ],
)
def test_a_malformed_line_is_named(bad: bytes, what: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(line(name="good") + b"\n" + bad)
    with pytest.raises(KeyFileError, match=rf"^{file}: line 3: .*{what}"):
        key_file.load(file)


def test_two_keys_of_one_name_or_id_are_refused() -> None:
    for second in (line(name="one"), line(name="two", key_id="0" * 12)):
        with pytest.raises(KeyFileError, match="line 2: a key with this name or key_id"):
            key_file.parse(line(name="one", key_id="0" * 12) + second)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=f"cannot read {tmp_path}/none: No such file"):
        key_file.load(tmp_path / "none")
    with pytest.raises(KeyFileError, match="Is a directory"):
        key_file.load(tmp_path)


def test_keys_are_added_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "new" / "keys"
    (_, one), (_, two) = make_key("one", [Scope.READ]), make_key("two", Scope)
    key_file.add(file, one)
    key_file.add(file, two)
    assert list(key_file.load(file).values()) == [one, two]
    with pytest.raises(KeyFileError, match="there is a key one in"):
        key_file.add(file, make_key("one", [Scope.READ])[1])
    key_file.remove(file, "one")
    assert list(key_file.load(file).values()) == [two]
    with pytest.raises(KeyFileError, match="there is no key one in"):
        key_file.remove(file, "one")
    assert [path.name for path in file.parent.iterdir()] == ["keys"]


def test_a_new_file_is_its_owners_alone_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    key_file.add(file, make_key("one", [Scope.READ])[1])
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    key_file.add(file, make_key("two", [Scope.READ])[1])
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "keys", tmp_path / "link"
    link.symlink_to(file)
    key_file.add(link, make_key("one", [Scope.READ])[1])
    assert link.is_symlink()
    assert len(key_file.load(file)) == 1


def test_a_malformed_file_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(b"{")
    with pytest.raises(KeyFileError, match="line 1"):
        key_file.add(file, make_key("one", [Scope.READ])[1])
    assert file.read_bytes() == b"{"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyFileError, match="cannot write"):
        key_file.add(tmp_path / "file" / "keys", make_key("one", [Scope.READ])[1])


def test_no_key_is_lost_when_many_are_added_at_once(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keys = [make_key(f"key-{number}", [Scope.READ])[1] for number in range(16)]
    threads = [threading.Thread(target=key_file.add, args=(file, key)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.name for key in key_file.load(file).values()} == {key.name for key in keys}
