"""Files of a plain tar archive (ustar, pax, GNU long names), read from memory as hostile input.

Nothing is extracted or copied: each file is a view of the body. Links, devices, sparse files, duplicates,
absolute and parent paths are refused, and so is whatever does not add up. (The standard library's `tarfile`
follows chains of extension headers by recursion, and in some releases of Python 3.11 and 3.12 a crafted
header keeps it busy without end.)
"""

from gateway.errors import InvalidInput
from gateway.wire.show import shown

MAX_ENTRIES = 4096

_FIELD = "archive"
_BLOCK = 512
_MAX_NAME_BYTES = 4096
_MAX_PAX_BYTES, _MAX_PAX_RECORDS = 8192, 32
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK": "zip",
}
_REFUSED = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a FIFO"}
_REGULAR = (b"0", b"\0")
_DIRECTORY, _GNU_NAME, _PAX, _PAX_GLOBAL = b"5", b"L", b"x", b"g"


def files(body: bytes) -> dict[str, memoryview]:
    """Content of every regular file by its path, in the archive's order.

    Raises:
        InvalidInput: compressed, not a tar archive, or one with anything but plain files and folders in it.
    """
    for magic, name in _COMPRESSED.items():
        if body.startswith(magic):
            raise _bad(f"is {name}-compressed; send a plain tar (a Content-Encoding may compress the body)")
    view = memoryview(body)
    found: dict[str, memoryview] = {}
    position, entries, long_name = 0, 0, None
    while (header := body[position : position + _BLOCK]).strip(b"\0"):
        entries += 1
        if entries > MAX_ENTRIES:
            raise _bad(f"has more than {MAX_ENTRIES:,} entries")
        kind, size = _kind_and_size(header, position)
        start = position + _BLOCK
        content = view[start : start + size]
        if len(content) != size:
            raise _bad(f"ends within an entry of {size:,} bytes at byte {position:,}")
        position = start + -(-size // _BLOCK) * _BLOCK
        if kind in (_PAX, _PAX_GLOBAL, _GNU_NAME):
            long_name = _extension(kind, content) or long_name
            continue
        name = _name(header) if long_name is None else long_name
        long_name = None
        _add(found, name, kind, content)
    _check_end(body, position)
    return found


def _kind_and_size(header: bytes, position: int) -> tuple[bytes, int]:
    if len(header) != _BLOCK:
        raise _bad(f"ends within a header at byte {position:,}")
    given = _octal(header[148:156])
    if given != sum(header) - sum(header[148:156]) + 8 * 0x20:
        raise _bad(f"has no valid tar header at byte {position:,} (checksum)")
    size = _octal(header[124:136])
    if size is None:
        raise _bad(f"has an entry without a readable size at byte {position:,}")
    return header[156:157], size


def _octal(field: bytes) -> int | None:
    digits = field.strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        return None
    return int(digits, 8)


def _extension(kind: bytes, content: memoryview) -> str | None:
    """The next entry's path, where an extension header gives one."""
    if kind == _GNU_NAME:
        if len(content) > _MAX_NAME_BYTES:
            raise _bad(f"has a name of {len(content):,} bytes; at most {_MAX_NAME_BYTES:,} are allowed")
        return _text(bytes(content).rstrip(b"\0"))
    path = None
    for key, value in _pax_records(bytes(content)):
        if key in (b"size", b"linkpath", b"hdrcharset") or key.startswith(b"GNU.sparse"):
            raise _bad(f"has an extended header {shown(_text(key))}, which is not allowed here")
        if key == b"path":
            if kind == _PAX_GLOBAL or len(value) > _MAX_NAME_BYTES:
                raise _bad("has a path in an extended header that is too long, or for all entries")
            path = _text(value)
    return path


def _pax_records(content: bytes) -> list[tuple[bytes, bytes]]:
    """`length key=value\\n`, where length counts the whole record."""
    if len(content) > _MAX_PAX_BYTES:
        raise _bad(
            f"has an extended header of {len(content):,} bytes; at most {_MAX_PAX_BYTES:,} are allowed"
        )
    records: list[tuple[bytes, bytes]] = []
    position = 0
    while position < len(content):
        space = content.find(b" ", position, position + 12)
        digits = content[position:space] if space > 0 else b""
        end = position + int(digits) if digits.isdigit() else 0
        key, equals, value = content[space + 1 : end - 1].partition(b"=")
        if not space < end - 1 < len(content) or content[end - 1 : end] != b"\n" or not equals:
            raise _bad("has a malformed extended header")
        if len(records) == _MAX_PAX_RECORDS:
            raise _bad(f"has an extended header with more than {_MAX_PAX_RECORDS} records")
        records.append((key, value))
        position = end
    return records


def _name(header: bytes) -> str:
    name, prefix = header[:100].split(b"\0", 1)[0], header[345:500].split(b"\0", 1)[0]
    if header[257:263] == b"ustar\0" and prefix:
        name = prefix + b"/" + name
    return _text(name)


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise _bad("has a name that is not UTF-8") from None


def _add(found: dict[str, memoryview], name: str, kind: bytes, content: memoryview) -> None:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise _bad(f"has a path that leaves it: {shown(name)}")
    if kind == _DIRECTORY and not content:
        return
    if kind not in _REGULAR:
        what = _REFUSED.get(kind, f"an entry of type {shown(kind.decode('latin-1'))}")
        raise _bad(f"{shown(name)} is {what}; only plain files are allowed")
    path = "/".join(parts)
    if not path or path in found:
        raise _bad(f"has {shown(name)} more than once" if path else "has a file without a name")
    found[path] = content


def _check_end(body: bytes, position: int) -> None:
    end = body[position:]
    if len(end) < 2 * _BLOCK or end.strip(b"\0"):
        raise _bad(
            f"does not end with zero blocks after byte {position:,}: cut short, or followed by other data"
        )


def _bad(detail: str) -> InvalidInput:
    return InvalidInput(detail, field=_FIELD)
