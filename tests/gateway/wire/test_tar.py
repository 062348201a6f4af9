"""Plain tar archives are read as views; what leads out of them, or does not add up, is refused."""

import io
import random
import tarfile
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidInput
from gateway.wire.tar import MAX_ENTRIES, files
from tests.gateway.wire.mutation import mutate, tar


def archive(*entries: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as writer:
        for entry, content in entries:
            entry.size = len(content)
            writer.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def entry(name: str = "a", **given: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for attribute, value in given.items():
        setattr(info, attribute, value)
    return info


def read(body: bytes) -> dict[str, bytes]:
    return {name: bytes(content) for name, content in files(body).items()}


def sealed(header: bytearray) -> bytes:
    """The header with its checksum made right."""
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["a", "d/e/f.x", "d/" * 60 + "long", "d/" + "n" * 90])
def test_files_are_read_in_every_format(format_: int, name: str) -> None:
    body = archive(
        (entry("d", type=tarfile.DIRTYPE), b""),
        (entry(name), b"one" * 700),
        (entry("./b"), b""),
        format=format_,
    )
    assert read(body) == {name: b"one" * 700, "b": b""}


def test_names_beyond_ascii_and_fractional_times_are_read() -> None:
    assert read(archive((entry("é" * 120, mtime=1.5), b"x"))) == {"é" * 120: b"x"}


def test_contents_are_not_copied() -> None:
    body = tar({"a": b"abc"})
    assert files(body)["a"].obj is body


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (
            entry(type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            '"a" is a symbolic link; only plain files are allowed',
        ),
        (entry(type=tarfile.LNKTYPE, linkname="b"), '"a" is a hard link; only plain files are allowed'),
        (entry(type=tarfile.CHRTYPE), '"a" is a device; only plain files are allowed'),
        (entry(type=tarfile.BLKTYPE), '"a" is a device; only plain files are allowed'),
        (entry(type=tarfile.FIFOTYPE), '"a" is a FIFO; only plain files are allowed'),
        (entry(type=tarfile.GNUTYPE_SPARSE), '"a" is an entry of type "S"; only plain files are allowed'),
        (entry(type=tarfile.CONTTYPE), '"a" is an entry of type "7"; only plain files are allowed'),
        (entry("../a"), 'has a path that leaves it: "../a"'),
        (entry("d/../../a"), 'has a path that leaves it: "d/../../a"'),
        (entry("/etc/a"), 'has a path that leaves it: "/etc/a"'),
        (entry("d\\..\\a"), r'has a path that leaves it: "d\\..\\a"'),
        (entry(""), "has a file without a name"),
        (entry("./"), "has a file without a name"),
        (
            entry(pax_headers={"GNU.sparse.realsize": "1"}),
            'has an extended header "GNU.sparse.realsize", which is not',
        ),
        (
            entry(pax_headers={"size": "99999999999"}),
            'has an extended header "size", which is not allowed here',
        ),
        (
            entry(pax_headers={"linkpath": "x"}),
            'has an extended header "linkpath", which is not allowed here',
        ),
        (entry(pax_headers={"path": "../a"}), 'has a path that leaves it: "../a"'),
        (entry(pax_headers={"comment": "x" * 9000}), "has an extended header of 9,"),
        (
            entry(pax_headers={f"k{i}": "" for i in range(33)}),
            "has an extended header with more than 32 records",
        ),
    ],
)
def test_anything_but_plain_files_inside_is_refused(info: tarfile.TarInfo, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        files(archive((info, b"")))
    assert caught.value.detail.startswith(f"archive: {message}")


@pytest.mark.parametrize("names", [("a", "a"), ("d/a", "d//a"), ("a", "./a")])
def test_a_path_there_twice_is_refused(names: tuple[str, str]) -> None:
    with pytest.raises(InvalidInput, match=r"archive: has .* more than once"):
        files(archive(*((entry(name), b"x") for name in names)))


@pytest.mark.parametrize("mode", ["gz", "bz2", "xz"])
def test_a_compressed_archive_is_refused_unread(mode: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{mode}") as writer:  # type: ignore[call-overload]
        writer.addfile(entry())
    with pytest.raises(InvalidInput, match=r"archive: is (gzip|bzip2|xz)-compressed; send a plain tar"):
        files(buffer.getvalue())


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (b"77777777777\0", "ends within an entry of 8,589,934,591 bytes at byte 0"),
        (b"00000000010\0", "has no valid tar header at byte 1,024 (checksum)"),
        (b"\x80" + b"\0" * 10 + b"\1", "has an entry without a readable size at byte 0"),
        (b"-0000000001\0", "has an entry without a readable size at byte 0"),
        (b"\0" * 12, "has an entry without a readable size at byte 0"),
    ],
)
def test_a_size_that_lies_is_refused(size: bytes, message: str) -> None:
    body = bytearray(tar({"a": b"x" * 600}))
    body[124:136] = size
    with pytest.raises(InvalidInput) as caught:
        files(sealed(body[:512]) + bytes(body[512:]))
    assert caught.value.detail == f"archive: {message}"


def test_an_archive_cut_short_is_refused_wherever_it_ends() -> None:
    body = tar({"a": b"x" * 600, "b": b"y"})
    whole = len(body.rstrip(b"\0")) // 512 * 512 + 512 + 1024
    assert read(body[:whole]) == {"a": b"x" * 600, "b": b"y"}
    for end in range(1, whole, 7):
        with pytest.raises(InvalidInput):
            files(body[:end])


@pytest.mark.parametrize("tail", [b"x", tar({"b": b"y"})])
def test_data_after_the_end_are_refused(tail: bytes) -> None:
    with pytest.raises(InvalidInput, match="does not end with zero blocks after byte 1,024"):
        files(tar({"a": b"x"}) + tail)


def test_more_entries_than_allowed_are_refused() -> None:
    header = tar({"a": b""})[:512]
    body = b"".join(sealed(bytearray(b"%08d" % i + header[8:])) for i in range(MAX_ENTRIES + 1)) + bytes(1024)
    with pytest.raises(InvalidInput, match="archive: has more than 4,096 entries"):
        files(body)


def test_a_chain_of_extended_headers_is_refused_without_recursion() -> None:
    extended = archive((entry(pax_headers={"comment": "x"}), b""))[:1024]
    with pytest.raises(InvalidInput, match="archive: has more than 4,096 entries"):
        files(extended * (MAX_ENTRIES + 1) + bytes(1024))


@pytest.mark.parametrize(
    "record", [b"", b"x", b"9 a=b\n", b"-1 a=b\n", b"6 a=bX", b"6 aXb\n", b"0 \n", b"5 a=b\n", b" a=\n"]
)
def test_a_malformed_extended_header_is_refused(record: bytes) -> None:
    body = bytearray(archive((entry(pax_headers={"comment": "x"}), b"")))
    content = record.ljust(13, b"\0")
    body[512 : 512 + len(content)] = content
    with pytest.raises(InvalidInput, match="archive: has a malformed extended header"):
        files(bytes(body))


@given(st.binary(max_size=1200))
def test_any_bytes_are_files_or_an_error(body: bytes) -> None:
    with suppress(InvalidInput):
        assert not any(".." in name.split("/") for name in files(body))


def test_broken_headers_with_right_checksums_are_files_or_an_error() -> None:
    chance = random.Random(7)
    body = archive((entry("a" * 120, mtime=1.5), b"one"), (entry("b"), b"two"))
    for _ in range(500):
        broken = bytearray(mutate(body, chance).ljust(512, b"\0"))
        for start in (0, 1024, 2048):
            if len(broken) >= start + 512:
                broken[start : start + 512] = sealed(broken[start : start + 512])
        with suppress(InvalidInput):
            assert all(len(content) <= len(broken) for content in files(bytes(broken)).values())
