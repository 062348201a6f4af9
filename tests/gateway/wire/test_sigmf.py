"""SigMF archives as the `sigmf` package writes them are read; metadata that lie or contradict are refused."""

import hashlib
import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sigmf as sigmf_package

from gateway.domain import Options
from gateway.errors import InvalidInput
from gateway.wire.sigmf import request
from tests.gateway.wire.mutation import mutate, tar

IQ = (np.arange(24, dtype=np.float32) / 32).view(np.complex64).reshape(3, 4)


def described(**given: Any) -> dict[str, Any]:
    return {"core:datatype": "cf32_le", "core:version": "1.2.0", "core:num_channels": 3} | {
        f"core:{name}": value for name, value in given.items()
    }


def metadata(captures: Any = (), **given: Any) -> bytes:
    return json.dumps({"global": described(**given), "captures": captures, "annotations": []}).encode()


def archive(meta: bytes | None = None, data: bytes = IQ.T.astype("<c8").tobytes(), **more: bytes) -> bytes:
    return tar({"r/r.sigmf-meta": metadata() if meta is None else meta, "r/r.sigmf-data": data} | more)


def collection(*streams: Any, rates: tuple[float, ...] = (192e3,) * 3) -> bytes:
    """Three one-channel recordings, and a Collection that lists `streams`."""
    files: dict[str, bytes] = {}
    for name, row, rate in zip("abc", IQ, rates, strict=True):
        files[f"{name}.sigmf-meta"] = metadata(num_channels=1, sample_rate=rate)
        files[f"{name}.sigmf-data"] = row.astype("<c8").tobytes()
    listed = {"collection": {"core:version": "1.2.0", "core:streams": list(streams)}}
    return tar(files | {"all.sigmf-collection": json.dumps(listed).encode()})


def read(body: bytes, **options: Any) -> Any:
    return request(body, Options(**options))


@pytest.mark.parametrize(
    ("datatype", "numpy_type", "scale"),
    [
        ("cf32_le", "<f4", 1),
        ("cf32_be", ">f4", 1),
        ("cf64_le", "<f8", 1),
        ("cf64_be", ">f8", 1),
        ("ci16_le", "<i2", 32768),
        ("ci16_be", ">i2", 32768),
        ("ci8", "i1", 128),
    ],
)
def test_every_datatype_is_read_sample_by_sample(datatype: str, numpy_type: str, scale: int) -> None:
    numbers = (IQ.T.copy().view(np.float32) * scale).astype(numpy_type)
    iq = read(archive(metadata(datatype=datatype), numbers.tobytes())).recording.iq
    assert iq.flags.c_contiguous
    assert np.array_equal(iq, IQ)


def test_unsigned_bytes_are_centred() -> None:
    data = bytes([0, 255, 128, 129])
    iq = read(archive(metadata(datatype="cu8", num_channels=1), data)).recording.iq
    assert iq.tolist() == [[complex(-1, 127 / 128), complex(0, 1 / 128)]]


def test_an_archive_of_the_sigmf_package_is_read(tmp_path: Path) -> None:
    data = tmp_path / "r.sigmf-data"
    IQ.T.tofile(data)
    recording = sigmf_package.SigMFFile(data_file=str(data), global_info=described(sample_rate=192_000))
    recording.add_capture(0, metadata={"core:frequency": 433_920_000})
    recording.archive(str(tmp_path / "r.sigmf"))
    body = (tmp_path / "r.sigmf").read_bytes()
    found = read(body, geojson=True)
    assert np.array_equal(found.recording.iq, IQ)
    assert found.options == Options(sample_rate_hz=192_000.0, frequency_mhz=433.92, geojson=True)


def test_options_that_agree_with_the_archive_are_taken() -> None:
    body = archive(metadata([{"core:frequency": 145.5e6}], sample_rate=48e3))
    assert read(body, sample_rate_hz=48e3, frequency_mhz=145.5).options.frequency_mhz == 145.5
    with pytest.raises(
        InvalidInput, match=r"^sample_rate_hz: 44100 in the query string, but 48000 in the archive$"
    ):
        read(body, sample_rate_hz=44_100.0)
    with pytest.raises(
        InvalidInput, match=r"^frequency_mhz: 146 in the query string, but 145.5 in the archive$"
    ):
        read(body, frequency_mhz=146.0)


def test_what_the_archive_leaves_open_comes_from_the_query_string() -> None:
    options = read(archive(metadata([{"core:frequency": 0}])), sample_rate_hz=1.0, frequency_mhz=2.0).options
    assert (options.sample_rate_hz, options.frequency_mhz) == (1.0, 2.0)


def test_a_checksum_is_verified_where_there_is_one() -> None:
    data = IQ.T.astype("<c8").tobytes()
    assert read(archive(metadata(sha512=hashlib.sha512(data).hexdigest().upper()))).recording.iq.shape == (
        3,
        4,
    )
    for wrong in (hashlib.sha512(b"").hexdigest(), "", 5):
        with pytest.raises(
            InvalidInput, match=r"^core:sha512: is not the SHA-512 of the file in the archive$"
        ):
            read(archive(metadata(sha512=wrong)))


def test_streams_of_a_collection_are_receivers_in_its_order() -> None:
    found = read(collection({"name": "c"}, {"name": "a"}, {"name": "b"}))
    assert np.array_equal(found.recording.iq, IQ[[2, 0, 1]])
    assert found.options.sample_rate_hz == 192_000


def test_a_streams_hash_is_verified() -> None:
    meta = metadata(num_channels=1, sample_rate=192e3)
    assert read(collection({"name": "a", "hash": hashlib.sha512(meta).hexdigest()})).recording.iq.shape == (
        1,
        4,
    )
    with pytest.raises(
        InvalidInput, match=r"core:streams\[0\].hash: is not the SHA-512 of the file in the archive"
    ):
        read(collection({"name": "a", "hash": hashlib.sha512(b"").hexdigest()}))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            tar({"x": b""}),
            "archive: has 0 .sigmf-meta files; one Recording is allowed, or several with a Collection",
        ),
        (
            archive(**{"s.sigmf-meta": metadata()}),
            "archive: has 2 .sigmf-meta files; one Recording is allowed",
        ),
        (tar({"r.sigmf-meta": metadata()}), 'archive: has no "r.sigmf-data" beside its .sigmf-meta file'),
        (tar({"r.sigmf-meta": metadata(), "s.sigmf-data": b""}), 'archive: has no "r.sigmf-data" beside its'),
        (archive(b"{"), "r/r.sigmf-meta: not valid JSON at line 1, column 2"),
        (archive(b'{"global":{},"global":{}}'), 'r/r.sigmf-meta: key "global" is there more than once'),
        (
            archive(b'{"a":"' + b"x" * (1 << 20) + b'"}'),
            "r/r.sigmf-meta: 1,048,584 bytes; at most 1,048,576 are",
        ),
        (archive(b"{}"), 'r/r.sigmf-meta: must have an object "global", got null'),
        (archive(b'{"global":[]}'), 'r/r.sigmf-meta: must have an object "global", got an array'),
        (
            archive(metadata(datatype="rf32_le")),
            "core:datatype: must be one of cf32_le, cf32_be, cf64_le, cf64_be, ",
        ),
        (
            archive(metadata(datatype=["cu8"])),
            "core:datatype: must be one of cf32_le, cf32_be, cf64_le, cf64_be, ",
        ),
        (
            archive(metadata(num_channels=0)),
            "core:num_channels: must be a whole number from 1 to 1024, got 0",
        ),
        (
            archive(metadata(num_channels=1.5)),
            "core:num_channels: must be a whole number from 1 to 1024, got 1.5",
        ),
        (
            archive(metadata(num_channels=True)),
            "core:num_channels: must be a whole number from 1 to 1024, got true",
        ),
        (
            archive(metadata(num_channels=1e300)),
            "core:num_channels: must be a whole number from 1 to 1024, got 1e+",
        ),
        (
            archive(metadata(num_channels=5)),
            ".sigmf-data: must be a positive multiple of 40 bytes to hold cf32_le samples of 5 channels",
        ),
        (
            archive(data=b""),
            ".sigmf-data: must be a positive multiple of 24 bytes to hold cf32_le samples of 3 cha",
        ),
        (archive(metadata(sample_rate=0)), "core:sample_rate: must be a finite number above 0, got 0"),
        (archive(metadata(sample_rate="1")), 'core:sample_rate: must be a finite number above 0, got "1"'),
        (
            archive(metadata(dataset="/etc/passwd")),
            "core:dataset: a dataset other than plain samples in the arch",
        ),
        (
            archive(metadata(metadata_only=True)),
            "core:metadata_only: a dataset other than plain samples in the a",
        ),
        (
            archive(metadata(trailing_bytes=4)),
            "core:trailing_bytes: a dataset other than plain samples in the ar",
        ),
        (archive(metadata(5)), "captures: must be an array of objects"),
        (archive(metadata([5])), "captures: must be an array of objects"),
        (
            archive(metadata([{"core:header_bytes": 4}])),
            "core:header_bytes: bytes between samples are not allowed",
        ),
        (
            archive(metadata([{"core:frequency": -1}])),
            "core:frequency: must be a finite number 0 or above, got -1",
        ),
        (
            archive(metadata([{"core:frequency": 1e6}, {}, {"core:frequency": 2e6}])),
            "captures: differ in core:frequency, from 1000000 to 2000000 Hz; one is allowed",
        ),
        (
            archive(data=np.full(24, np.nan, "<f4").tobytes()),
            "samples[0][0][0]: nan is not finite",
        ),
        (
            tar({"a.sigmf-collection": b"{}", "b.sigmf-collection": b"{}"}),
            "archive: has 2 Collections; one is allowed",
        ),
        (
            tar({"a.sigmf-collection": b"{}"}),
            'a.sigmf-collection: must have an object "collection", got null',
        ),
        (collection(), "all.sigmf-collection core:streams: must be an array of 1 to 1024 Recordings"),
        (collection(5), "all.sigmf-collection core:streams[0]: must be an object with a name, got a number"),
        (
            collection({}),
            "all.sigmf-collection core:streams[0].name: must be a string of 1 to 256 characters, got n",
        ),
        (
            collection({"name": "d"}),
            'all.sigmf-collection core:streams[0].name: archive has 0 files "d.sigmf-meta"',
        ),
        (collection(*[{"name": "a"}] * 900), 'all.sigmf-collection core:streams: names "a" more than once'),
        (
            collection({"name": "a"}, {"name": "b"}, rates=(1, 2, 3)),
            "all.sigmf-collection core:streams[1]: core:sample_rate 2 where the first stream has 1",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_file_and_field(body: bytes, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(body)
    assert caught.value.detail.startswith(message)


def test_streams_of_different_length_or_several_channels_are_refused() -> None:
    def of(channels: int, samples: int) -> bytes:
        files = {
            "a.sigmf-meta": metadata(num_channels=1),
            "a.sigmf-data": bytes(8 * 4),
            "b.sigmf-meta": metadata(num_channels=channels),
            "b.sigmf-data": bytes(8 * channels * samples),
        }
        streams = {"collection": {"core:streams": [{"name": "a"}, {"name": "b"}]}}
        return tar(files | {"c.sigmf-collection": json.dumps(streams).encode()})

    assert read(of(1, 4)).recording.iq.shape == (2, 4)
    with pytest.raises(InvalidInput, match=r"core:streams\[1\]: 5 samples where the first stream has 4"):
        read(of(1, 5))
    with pytest.raises(InvalidInput, match=r"core:streams\[1\]: has 2 channels; a stream is one receiver"):
        read(of(2, 4))


def test_broken_metadata_in_a_sound_archive_are_a_value_or_an_error() -> None:
    chance = random.Random(11)
    meta = metadata([{"core:frequency": 145.5e6}], sample_rate=192e3, sha512="0" * 128)
    listed = b'{"collection":{"core:version":"1.2.0","core:streams":[{"name":"r","hash":"00"}]}}'
    for _ in range(500):
        with suppress(InvalidInput):
            read(archive(mutate(meta, chance)))
        with suppress(InvalidInput):
            read(archive(**{"c.sigmf-collection": mutate(listed, chance)}))
