"""Files as request bodies: by extension, and what cannot be sent says why."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cli.client import NPY, OCTETS, SIGMF
from cli.recording_file import UnknownFile, read
from gateway.domain import Options
from gateway.wire import sigmf as wire


@pytest.mark.parametrize(("suffix", "media_type"), [(".npy", NPY), (".NPY", NPY), (".sigmf", SIGMF)])
def test_files_that_describe_themselves_go_as_they_are(tmp_path: Path, suffix: str, media_type: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"bytes")
    body = read(path)
    assert (body.content, body.media_type, body.query) == (b"bytes", media_type, {})


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(".cf32", "cf32_le"), (".cfile", "cf32_le"), (".cs16", "ci16_le"), (".ci8", "ci8"), (".cu8", "cu8")],
)
def test_raw_samples_go_with_their_type_and_receivers(tmp_path: Path, suffix: str, dtype: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"\x00" * 8)
    body = read(path, receivers=3)
    assert body.media_type == OCTETS
    assert body.query == {"dtype": dtype, "receivers": "3"}


def test_raw_samples_need_the_number_of_receivers(tmp_path: Path) -> None:
    (tmp_path / "x.cf32").write_bytes(b"")
    with pytest.raises(UnknownFile, match="--receivers"):
        read(tmp_path / "x.cf32")


def test_a_sigmf_pair_goes_as_the_archive_that_the_gateway_reads(tmp_path: Path) -> None:
    samples = np.arange(6, dtype=np.float32).astype(np.complex64)
    (tmp_path / "x.sigmf-data").write_bytes(samples.tobytes())
    (tmp_path / "x.sigmf-meta").write_text(
        '{"global": {"core:datatype": "cf32_le", "core:version": "1.2.0", "core:sample_rate": 48000},'
        ' "captures": [{"core:sample_start": 0}], "annotations": []}'
    )
    body = read(tmp_path / "x.sigmf-meta")
    assert body.media_type == SIGMF
    with tarfile.open(fileobj=io.BytesIO(body.content)) as archive:
        assert archive.getnames() == ["x/x.sigmf-meta", "x/x.sigmf-data"]
    request = wire.request(body.content, Options())
    assert request.options.sample_rate_hz == 48_000
    assert request.recording.iq is not None
    assert (request.recording.iq == samples).all()


def test_half_a_sigmf_pair_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.sigmf-meta").write_text("{}")
    with pytest.raises(UnknownFile, match=r"x\.sigmf-data"):
        read(tmp_path / "x.sigmf-meta")


@pytest.mark.parametrize("name", ["x.wav", "x", "x.sigmf-data"])
def test_another_extension_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UnknownFile, match=r"known are \.npy, \.sigmf"):
        read(tmp_path / name)
