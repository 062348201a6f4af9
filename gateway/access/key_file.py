"""API keys at rest: how one is made, what is kept of it, and the file they are kept in.

The file has one JSON document per line, a StoredKey:
`{"key_id": "…", "name": "…", "scopes": ["predict"], "salt": "…", "digest": "…", "created": "2026-01-01T…"}`
"""

import contextlib
import fcntl
import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

_KEY = re.compile(r"fixgate_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)
_NAME = r"^[A-Za-z0-9._-]{1,64}\Z"


class Scope(StrEnum):
    """What a key is for. None includes another."""

    PREDICT = "predict"
    READ = "read"
    ADMIN = "admin"


class KeyFileError(ValueError):
    """The file of API keys cannot be used; the message names the file, and the line where there is one."""


class StoredKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of a key, which cannot be had back from it.

    `salt` (16 bytes) and `digest` (32 bytes) are hexadecimal.
    """

    key_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{12}\Z")]
    name: Annotated[str, Meta(pattern=_NAME)]
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1)]
    salt: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    created: Annotated[datetime, Meta(tz=True)]

    def matches(self, key: str) -> bool:
        """Whether it was made from this key; takes as long for a nearly right one as for a wrong one."""
        return hmac.compare_digest(_digest(key, bytes.fromhex(self.salt)), bytes.fromhex(self.digest))


def make_key(name: str, scopes: Iterable[Scope]) -> tuple[str, StoredKey]:
    """A new key, and what to keep of it.

    Raises:
        ValueError: the name is not made of 1 to 64 letters, digits, dots, dashes and underscores.
    """
    if not re.match(_NAME, name):
        raise ValueError("a name has 1 to 64 letters, digits, dots, dashes or underscores")
    wanted = set(scopes)
    key_id, salt = secrets.token_hex(6), secrets.token_bytes(16)
    key = f"fixgate_{key_id}_{secrets.token_urlsafe(32)}"
    stored = StoredKey(
        key_id=key_id,
        name=name,
        scopes=tuple(scope for scope in Scope if scope in wanted),
        salt=salt.hex(),
        digest=_digest(key, salt).hex(),
        created=datetime.now(UTC).replace(microsecond=0),
    )
    return key, stored


def key_id(key: str) -> str | None:
    """The public part of a key, by which it is looked up; None when it is not of our form."""
    found = _KEY.fullmatch(key)
    return found[1] if found else None


def parse(content: bytes) -> dict[str, StoredKey]:
    """The keys of a file's content, by id.

    Raises:
        KeyFileError: names the line.
    """
    keys: dict[str, StoredKey] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            key = msgspec.json.decode(line, type=StoredKey)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise KeyFileError(f"line {number}: {error}") from None
        if key.key_id in keys or any(key.name == other.name for other in keys.values()):
            raise KeyFileError(f"line {number}: a key with this name or key_id is there already")
        keys[key.key_id] = key
    return keys


def load(path: Path) -> dict[str, StoredKey]:
    """The keys of a file, by id.

    Raises:
        KeyFileError: it cannot be read, or a line is malformed.
    """
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}") from None
    except KeyFileError as error:
        raise KeyFileError(f"{path}: {error}") from None


def add(path: Path, key: StoredKey) -> None:
    """Put a key into a file, which is made when it is not there.

    Raises:
        KeyFileError: there is a key of this name; or the file cannot be read or written, or is malformed.
    """
    with _edited(path) as keys:
        if any(key.name == other.name for other in keys.values()):
            raise KeyFileError(f"there is a key {key.name} in {path} already")
        keys[key.key_id] = key


def remove(path: Path, name: str) -> None:
    """Take a key out of a file.

    Raises:
        KeyFileError: there is no key of this name; or the file cannot be read or written, or is malformed.
    """
    with _edited(path) as keys:
        found = next((key for key in keys.values() if key.name == name), None)
        if found is None:
            raise KeyFileError(f"there is no key {name} in {path}")
        del keys[found.key_id]


@contextlib.contextmanager
def _edited(path: Path) -> Iterator[dict[str, StoredKey]]:
    """The keys, written at the end in one step; no other edit of the folder's files comes between."""
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            keys = load(path) if path.exists() else {}
            yield keys
            _replace(path, keys)
        finally:
            os.close(folder)
    except OSError as error:
        raise KeyFileError(f"cannot write {path}: {error.strerror}") from None


def _replace(path: Path, keys: Mapping[str, StoredKey]) -> None:
    """A new file is its owner's alone (0600); an old one keeps its mode and, where we may, its owner."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(msgspec.json.encode(key) + b"\n" for key in keys.values())
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            before = path.stat()
            with contextlib.suppress(PermissionError):
                os.chown(name, before.st_uid, before.st_gid)
            Path(name).chmod(before.st_mode & 0o777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


def _digest(key: str, salt: bytes) -> bytes:
    # Fast on purpose: a slow hash protects what people choose; these keys are 256 random bits, which nobody
    # can search however fast the hash is, and it is made for every request.
    return hashlib.blake2b(key.encode(), digest_size=32, salt=salt, person=b"fixgate-key").digest()
