"""The ten recordings that ship with the demo: npy, one of them as a SigMF archive too, and the truth."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from demo.dataset import SEEDS
from demo.scene import RECEIVERS, SAMPLE_RATE_HZ, SCENE, Capture, simulate

COUNT = 10


def sample(index: int) -> Capture:
    """Recording `index` of those that ship: the first ten of their series, whatever they are."""
    return simulate(SCENE, SEEDS.samples, index)


def write_samples(folder: Path) -> None:
    """Write `00.npy` … `09.npy` (complex64, receivers x samples), `00.sigmf` and `truth.json`."""
    folder.mkdir(exist_ok=True)
    captures = [sample(index) for index in range(COUNT)]
    for index, capture in enumerate(captures):
        np.save(folder / f"{index:02d}.npy", capture.iq)
    (folder / "00.sigmf").write_bytes(sigmf_archive("00", captures[0].iq))
    truth = {f"{index:02d}": capture.position.round(6).tolist() for index, capture in enumerate(captures)}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")


def sigmf_archive(name: str, iq: NDArray[np.complex64]) -> bytes:
    """A SigMF archive of (receivers, samples), interleaved sample by sample; the same bytes every time."""
    samples = np.ascontiguousarray(iq.T, dtype="<c8").tobytes()
    metadata = {
        "global": {
            "core:datatype": "cf32_le",
            "core:version": "1.2.0",
            "core:sample_rate": SAMPLE_RATE_HZ,
            "core:num_channels": len(iq),
            "core:sha512": hashlib.sha512(samples).hexdigest(),
            "core:description": "Simulated; channels: " + ", ".join(one.id for one in RECEIVERS),
        },
        "captures": [{"core:sample_start": 0}],
        "annotations": [],
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, f"{name}/{name}.sigmf-meta", json.dumps(metadata, indent=1).encode())
        _add(archive, f"{name}/{name}.sigmf-data", samples)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, path: str, content: bytes) -> None:
    entry = tarfile.TarInfo(path)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
