"""The recordings that ship are the first of their series, in forms that others read too."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import sigmf
from sigmf.archivereader import SigMFArchiveReader

from demo.recordings import COUNT, sample, sigmf_archive, write_samples
from demo.scene import SCENE, simulate
from demo.shipped import SAMPLES, SIGMF_SAMPLE, TRUTH, sample_paths


def test_the_shipped_recordings_come_from_their_seed() -> None:
    for index, path in enumerate(sample_paths()):
        shipped = np.load(path)
        assert shipped.dtype == np.complex64
        assert shipped.shape == (3, 17_920)
        np.testing.assert_allclose(shipped, sample(index).iq, rtol=0, atol=1e-6)


def test_the_truth_is_where_the_simulator_put_the_sources() -> None:
    truth = json.loads(TRUTH.read_text())
    assert list(truth) == [f"{index:02d}" for index in range(COUNT)]
    for index, place in enumerate(truth.values()):
        np.testing.assert_allclose(place, sample(index).position, rtol=0, atol=1e-6)


def test_another_recording_is_not_taken_for_a_shipped_one() -> None:
    assert not np.allclose(np.load(sample_paths()[0]), simulate(SCENE, 99, 0).iq, atol=1e-3)


def test_writing_again_gives_the_files_that_ship(tmp_path: Path) -> None:
    write_samples(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(one.name for one in SAMPLES.iterdir())
    assert (tmp_path / "truth.json").read_text() == TRUTH.read_text()


def test_the_sigmf_package_reads_the_archive_and_finds_it_valid() -> None:
    recording = SigMFArchiveReader(SIGMF_SAMPLE).sigmffile
    recording.validate()
    assert recording.get_global_field(sigmf.SAMPLE_RATE_KEY) == 192_000
    assert recording.num_channels == 3
    np.testing.assert_array_equal(recording.read_samples().T, np.load(sample_paths()[0]))


def test_the_archive_is_a_plain_tar_whose_checksum_and_interleaving_are_right() -> None:
    with tarfile.open(SIGMF_SAMPLE, "r:") as archive:
        members = {Path(one.name).suffix: archive.extractfile(one) for one in archive.getmembers()}
        content = {suffix: part.read() for suffix, part in members.items() if part is not None}
    assert set(content) == {".sigmf-meta", ".sigmf-data"}
    described = json.loads(content[".sigmf-meta"])["global"]
    assert described["core:datatype"] == "cf32_le"
    assert described["core:sha512"] == hashlib.sha512(content[".sigmf-data"]).hexdigest()
    interleaved = np.frombuffer(content[".sigmf-data"], "<c8").reshape(-1, 3)
    np.testing.assert_array_equal(interleaved.T, np.load(sample_paths()[0]))


def test_an_archive_is_the_same_bytes_every_time() -> None:
    iq = sample(1).iq[:, :100]
    archive = sigmf_archive("x", iq)
    assert archive == sigmf_archive("x", iq)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        assert {(one.mtime, one.uid, one.gid, one.uname) for one in tar.getmembers()} == {(0, 0, 0, "")}
