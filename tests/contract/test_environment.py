"""Names of options, known to every part."""

from pathlib import Path

import pytest

from contract.environment import KNOWN, SECRETS, SecretFileError, unknown, with_secrets
from sync.config import known_names as sync_names


def test_a_misspelt_name_is_reported() -> None:
    assert unknown(["FIXGATE_PROT", "FIXGATE_PORT", "PATH", "FIXGATE_CACHE_TTL"]) == [
        "FIXGATE_CACHE_TTL",
        "FIXGATE_PROT",
    ]


def test_the_control_planes_names_are_known() -> None:
    assert sync_names() <= KNOWN


def test_every_secret_may_be_given_as_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("redis://:p@r/0\n")
    for name in SECRETS:
        assert with_secrets({f"{name}_FILE": str(file), "PATH": "/"}) == {name: "redis://:p@r/0", "PATH": "/"}
        assert unknown([f"{name}_FILE"]) == []


def test_an_empty_file_variable_counts_as_not_given() -> None:
    assert with_secrets({"FIXGATE_REDIS_URL_FILE": "", "FIXGATE_REDIS_URL": "redis://r"}) == {
        "FIXGATE_REDIS_URL": "redis://r"
    }


def test_a_secret_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n")
    binary.write_bytes(b"\xff\xfe")
    for path, wrong in ((tmp_path / "none", "No such file"), (empty, "is empty"), (binary, "not UTF-8")):
        with pytest.raises(SecretFileError, match=f"FIXGATE_REDIS_URL_FILE: .*{wrong}"):
            with_secrets({"FIXGATE_REDIS_URL_FILE": str(path)})


def test_a_secret_given_both_ways_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SecretFileError, match="FIXGATE_WEBHOOK_SECRET_FILE: give one"):
        with_secrets({"FIXGATE_WEBHOOK_SECRET": "a", "FIXGATE_WEBHOOK_SECRET_FILE": str(tmp_path)})
