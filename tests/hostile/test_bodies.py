"""Hostile bodies: each is refused for what it is, whatever it claims to be."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import zlib

import numpy as np
import pytest
from backports import zstd

from tests.gateway import stand
from tests.hostile.conftest import BODY_BYTES, ECHO, Target, refused

JSON, NPY, SIGMF = ("Content-Type: application/" + kind + "\r\n" for kind in ("json", "x-npy", "x-sigmf"))
RAW = "Content-Type: application/octet-stream\r\n"
MILLION = b"1," * 700_000


def zeros(count: int = 40 << 20) -> bytes:
    """What bombs hold: twenty times the limit."""
    return bytes(count)


BOMBS = {
    "gzip": gzip.compress(zeros()),
    "deflate": zlib.compress(zeros()),
    "zstd": zstd.compress(zeros()),
}


@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_is_refused_at_the_limit(target: Target, coding: str) -> None:
    answer = target.post(BOMBS[coding], f"{JSON}Content-Encoding: {coding}\r\n")
    assert answer.status == 413
    assert refused(answer)


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip,deflate", "zstd, zstd, zstd", "gzip, identity"])
def test_nested_codings_are_not_unpacked(target: Target, coding: str) -> None:
    answer = target.post(gzip.compress(BOMBS["gzip"]), f"{JSON}Content-Encoding: {coding}\r\n")
    assert answer.status == 415
    assert refused(answer)


def test_a_bomb_inside_a_bomb_is_refused_as_what_it_decodes_to(target: Target) -> None:
    assert refused(target.post(gzip.compress(BOMBS["gzip"]), f"{JSON}Content-Encoding: gzip\r\n"))


DOCUMENTS = {
    "deep arrays": b'{"iq_data":' + b"[" * 500_000 + b"]" * 500_000 + b"}",
    "deep objects": b'{"iq_data":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b"}",
    "deep and cut": b"[" * 1_000_000,
    "many values": b'{"iq_data":[' + MILLION + b"1]}",
    "many keys": b"{" + b",".join(b'"%d":1' % i for i in range(100_000)) + b"}",
    "a huge integer": b'{"iq_data":[[1,2]],"sample_rate_hz":' + b"9" * 500_000 + b"}",
    "a huge exponent": b'{"iq_data":[[1e999999999,2]]}',
    "a tiny exponent and a wrong shape": b'{"iq_data":[[1e-999999999,2,3]]}',
    "a long fraction": b'{"iq_data":[[0.' + b"1" * 500_000 + b"]]}",
    "not a number": b'{"iq_data":[[NaN,Infinity]]}',
    "duplicate keys": b'{"iq_data":[[1,2]],"iq_data":[[3,4]]}',
    "duplicate options": b'{"iq_data":[[1,2]],"session_id":"a","session_id":"b"}',
    "a lone surrogate": b'{"iq_data":[[1,2]],"session_id":"\\ud800"}',
    "a lone surrogate as a key": b'{"\\udfff":1}',
    "surrogates in UTF-8": b'{"iq_data":[[1,2]],"session_id":"\xed\xa0\x80"}',
    "not UTF-8": b'{"iq_data":[[1,2]],"session_id":"\xff\xfe"}',
    "a NUL": b'{"iq_data":[[1,2]],"session_id":"\x00"}',
    "two documents": b'{"iq_data":[[1,2]]}{"iq_data":[[1,2]]}',
    "a comment": b'{"iq_data":[[1,2]]/* */}',
    "a prototype": b'{"__proto__":{},"constructor":{}}',
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_hostile_json_is_a_4xx(target: Target, document: bytes) -> None:
    for path in ("/predict", "/predict/batch"):
        assert refused(target.post(document, JSON, path))


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """A file with that header."""
    size = struct.pack("<H" if version == b"\x01\x00" else "<I", len(header))
    return b"\x93NUMPY" + version + size + header.encode("latin-1") + data


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.system, ("kill -9 $PPID",)


def pickled() -> bytes:
    """An object array as numpy writes it."""
    file = io.BytesIO()
    np.save(file, np.array([Evil()], dtype=object), allow_pickle=True)
    return file.getvalue()


SHAPE = "{'descr': '<c8', 'fortran_order': False, 'shape': %s}"
ARRAYS = {
    "a pickle in an array": pickled(),
    "a bare pickle": pickle.dumps(Evil()),
    "a shape beyond memory": npy(SHAPE % "(1000000000, 1000000000)", bytes(64)),
    "a shape beyond integers": npy(SHAPE % f"({'9' * 4000},)", bytes(64)),
    "a shape beyond what Python prints": npy(SHAPE % f"(0x{'F' * 3600},)", bytes(64)),
    "a negative shape": npy(SHAPE % "(-1, 8)", bytes(64)),
    "a shape that overflows to fit": npy(SHAPE % "(4294967296, 4294967296, 8)", bytes(64)),
    "no samples": npy(SHAPE % "(3, 0)"),
    "many axes": npy(SHAPE % f"({'1,' * 30})", bytes(8)),
    "code in the header": npy(SHAPE % "(__import__('os').system('kill -9 $PPID'),)", bytes(64)),
    "a quote and blanks": npy(SHAPE % "(2,)" + '"' + " " * 3900, bytes(16)),
    "a deep header": npy("(" * 60_000, bytes(64)),
    "a header beyond the file": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{",
    "structured": npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", bytes(8)),
    "a zip": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("body", ARRAYS.values(), ids=ARRAYS)
def test_hostile_npy_is_a_4xx(target: Target, body: bytes) -> None:
    for path in ("/predict", "/predict/batch"):
        assert refused(target.post(body, NPY, path))


def archive(name: str, content: bytes = b"x", **given: object) -> bytes:
    """A tar with one entry."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as writer:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        for attribute, value in given.items():
            setattr(entry, attribute, value)
        writer.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def giant(kind: bytes = b"0") -> bytes:
    """An entry that claims to be 8 GiB."""
    entry = tarfile.TarInfo("a.sigmf-data")
    entry.size, entry.type = 8 << 30, kind
    return entry.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def metadata(**given: object) -> bytes:
    """A recording whose metadata say this."""
    document = {"global": {"core:version": "1.0.0", "core:datatype": "cf32_le", **given}, "captures": [{}]}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as writer:
        for name, content in (("a.sigmf-meta", json.dumps(document).encode()), ("a.sigmf-data", bytes(800))):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            writer.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVES = {
    "traversal": archive("../../etc/passwd"),
    "traversal inside": archive("a/../../b.sigmf-meta"),
    "an absolute path": archive("/etc/passwd"),
    "a symbolic link": archive("a.sigmf-data", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": archive("a.sigmf-data", b"", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "a device": archive("a.sigmf-data", b"", type=tarfile.CHRTYPE),
    "a pipe": archive("a.sigmf-data", b"", type=tarfile.FIFOTYPE),
    "a giant": giant(),
    "a sparse giant": giant(tarfile.GNUTYPE_SPARSE),
    "many entries": b"".join(archive(f"{i}")[:1024] for i in range(1500)) + bytes(1024),
    "compressed": gzip.compress(archive("a.sigmf-meta")),
    "a bomb": gzip.compress(zeros(1 << 20)),
    "as many channels as there are numbers": metadata(**{"core:num_channels": 10**18}),
    "no channels": metadata(**{"core:num_channels": 0}),
    "a data file elsewhere": metadata(**{"core:dataset": "/etc/passwd"}),
    "an offset beyond the end": metadata(**{"core:trailing_bytes": 10**15}),
    "deep metadata": archive("a.sigmf-meta", b"[" * 100_000),
}


@pytest.mark.parametrize("body", ARCHIVES.values(), ids=ARCHIVES)
def test_hostile_sigmf_is_a_4xx(target: Target, body: bytes) -> None:
    assert refused(target.post(body, SIGMF))


@pytest.mark.parametrize(
    "query",
    [
        "dtype=cf32_le&receivers=1000000000000",
        "dtype=cf32_le&receivers=-3",
        "dtype=cf32_le&receivers=0",
        "dtype=cf32_le&receivers=" + "9" * 3000,
        "dtype=cf32_le&receivers=3&receivers=3",
        "dtype=object&receivers=3",
        "dtype=cf32_le&receivers=3&sample_rate_hz=1e999",
        "dtype=cf32_le&receivers=3&confidence_level=NaN",
        "dtype=cf32_le%00&receivers=3",
    ],
)
def test_hostile_parameters_are_a_4xx(target: Target, query: str) -> None:
    assert refused(target.post(stand.iq(1).tobytes(), RAW, f"/predict?{query}"))


def test_a_body_of_the_full_size_that_is_all_wrong_is_a_4xx(target: Target) -> None:
    for body, headers in ((b"\x00" * BODY_BYTES, JSON), (b"{" * BODY_BYTES, JSON), (bytes(BODY_BYTES), NPY)):
        assert refused(target.post(body, headers))
    assert refused(
        target.post(
            np.full(BODY_BYTES // 4, np.nan, "<f4").tobytes(), RAW, f"/models/{ECHO}/predict?dtype=f32_le"
        )
    )
