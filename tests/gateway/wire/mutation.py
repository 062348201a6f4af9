"""Valid requests of every form, and a seeded mutator that breaks them."""

import gzip
import io
import json
import random
import struct
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from backports import zstd

TOKENS = (
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b":",
        b'"',
        b"\\",
        b"-",
        b".",
        b"e",
        b" ",
        b"\n",
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
    ),
    *(b"null", b"true", b"NaN", b"Infinity", b"1e999", b"-0", b"1e39", b"18446744073709551616", b"9" * 400),
    *(b'"\\ud800"', b'"iq_data":', b'"features":[1]', b'"geojson":1', b"[" * 64, b"\xef\xbb\xbf"),
    *(b"|O", b">c16", b"<f8", b"<U3", b"True", b"(0,)", b"(-1,)", b"(99999999999,)", b"\x93NUMPY\x03\x00"),
    b"F" * 3600,
    *(
        b"../",
        b"/etc/passwd",
        b"ustar\0",
        b"77777777777",
        b"core:sha512",
        b"cf32_be",
        b"\x1f\x8b",
        b"\x28\xb5\x2f\xfd",
    ),
    *(b"\x7f\xc0\x00\x00", b"\x00\x00\xc0\x7f", b"\x00\x00\x80\xff", b"\xff" * 8),
)


@dataclass(frozen=True, slots=True)
class Seed:
    """One valid request: `path` is below a model's, `query` decoded."""

    name: str
    path: str
    content_type: str
    body: bytes
    query: tuple[tuple[str, str], ...] = ()
    content_encoding: str | None = None


def seeds(receivers: int = 3, samples: int = 24) -> list[Seed]:
    """A valid request of every form, the same on every call; IQ of `receivers` × `samples`."""
    draw = np.random.default_rng(20260101)
    iq = (draw.normal(size=(receivers, samples)) + 1j * draw.normal(size=(receivers, samples))).astype("<c8")
    pairs = np.stack([iq.real, iq.imag], axis=-1).round(4).tolist()
    options = {"session_id": "s-1", "sample_rate_hz": 192_000, "frequency_mhz": 145.5, "cache_enabled": False}
    single = json.dumps({"iq_data": pairs, **options}).encode()
    items = [{"sample_id": "a", "iq_data": pairs}, pairs, {"features": [[1.0, 2.0], [3.0, 4.0]]}]
    integers = (iq.view("<f4") * 1000).astype("<i2")
    raw = "application/octet-stream"
    rows = (("receivers", str(receivers)), ("geojson", "true"))
    return [
        Seed("json", "predict", "application/json", single),
        Seed("json-features", "predict", "application/json", b'{"features":[[[1,2.5],[-3e-2,0]]]}'),
        Seed("json-batch", "predict/batch", "application/json", json.dumps({"iq_samples": items}).encode()),
        Seed("npy", "predict", "application/x-npy", npy(iq), (("confidence_level", "0.9"),)),
        Seed("npy-fortran", "predict", "application/x-npy", npy(np.asfortranarray(iq.astype(">c16")))),
        Seed("npy-tensor", "predict", "application/x-npy", npy(np.ones((2, 3, 4), np.float32))),
        Seed("npy-hexadecimal", "predict", "application/x-npy", npy_hexadecimal(iq)),
        Seed("npy-batch", "predict/batch", "application/x-npy", npy(np.stack([iq, iq]))),
        Seed("cf32", "predict", raw, iq.tobytes(), (("dtype", "cf32_le"), *rows)),
        Seed("ci16", "predict", raw, integers.tobytes(), (("dtype", "ci16_le"), *rows)),
        Seed("ci8", "predict", raw, integers.astype("i1").tobytes(), (("dtype", "ci8"), *rows)),
        Seed("cu8", "predict", raw, integers.astype("u1").tobytes(), (("dtype", "cu8"), *rows)),
        Seed("tensor", "predict", raw, np.ones(24, "<f4").tobytes(), (("dtype", "f32_le"),)),
        Seed("sigmf", "predict", "application/x-sigmf", sigmf(iq)),
        Seed("gzip", "predict", "application/json", gzip.compress(single, mtime=0), content_encoding="gzip"),
        Seed("deflate", "predict", "application/json", zlib.compress(single), content_encoding="deflate"),
        Seed("zstd", "predict", "application/json", zstd.compress(single), content_encoding="zstd"),
    ]


def mutate(body: bytes, chance: random.Random) -> bytes:
    """The body after one to eight random edits; may be empty, never more than about twice as long."""
    changed = bytearray(body)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5, 8))):
        chance.choice(_EDITS)(changed, chance)
    return bytes(changed[: 2 * len(body) + 1024])


def npy(array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> bytes:
    """The array as `numpy.save` writes it."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_hexadecimal(iq: "np.ndarray[tuple[int, ...], np.dtype[np.complex64]]") -> bytes:
    """The same with an axis in hexadecimal, and room for a far longer one in the header."""
    axes = f"(0x{len(iq):0300x}, {iq.shape[1]})"
    header = f"{{'descr': '<c8', 'fortran_order': False, 'shape': {axes}}}".ljust(4000).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + iq.tobytes()


def sigmf(iq: "np.ndarray[tuple[int, ...], np.dtype[np.complex64]]") -> bytes:
    """A SigMF archive of (receivers, samples)."""
    described = {
        "core:datatype": "cf32_le",
        "core:version": "1.2.0",
        "core:num_channels": len(iq),
        "core:sample_rate": 192_000,
    }
    captures = [{"core:sample_start": 0, "core:frequency": 145_500_000}]
    meta = {"global": described, "captures": captures, "annotations": []}
    return tar({"r/r.sigmf-meta": json.dumps(meta).encode(), "r/r.sigmf-data": iq.T.astype("<c8").tobytes()})


def tar(files: dict[str, bytes]) -> bytes:
    """A plain tar archive of these files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def _place(changed: bytearray, chance: random.Random) -> int:
    """Anywhere, with half of the weight on the first 600 bytes, where headers and keys are."""
    reach = len(changed) if chance.random() < 0.5 else min(len(changed), 600)
    return chance.randrange(reach + 1)


def _flip(changed: bytearray, chance: random.Random) -> None:
    if changed:
        changed[min(_place(changed, chance), len(changed) - 1)] ^= 1 << chance.randrange(8)


def _set(changed: bytearray, chance: random.Random) -> None:
    if changed:
        changed[min(_place(changed, chance), len(changed) - 1)] = chance.randrange(256)


def _insert(changed: bytearray, chance: random.Random) -> None:
    place = _place(changed, chance)
    changed[place:place] = chance.choice(TOKENS)


def _overwrite(changed: bytearray, chance: random.Random) -> None:
    place, token = _place(changed, chance), chance.choice(TOKENS)
    changed[place : place + len(token)] = token


def _delete(changed: bytearray, chance: random.Random) -> None:
    place = _place(changed, chance)
    del changed[place : place + chance.choice((1, 1, 2, 4, 16, 128, 512))]


def _cut(changed: bytearray, chance: random.Random) -> None:
    del changed[_place(changed, chance) :]


def _repeat(changed: bytearray, chance: random.Random) -> None:
    start, to = _place(changed, chance), _place(changed, chance)
    changed[to:to] = changed[start : start + chance.choice((1, 8, 64, 512))]


_EDITS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_flip, _set, _insert, _overwrite, _delete, _cut, _repeat),
)
