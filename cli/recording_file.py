"""A recording on disk as the body of a predict request."""

import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from cli.client import NPY, OCTETS, SIGMF

RAW = {
    ".cf32": "cf32_le",
    ".cfile": "cf32_le",
    ".fc32": "cf32_le",
    ".ci16": "ci16_le",
    ".cs16": "ci16_le",
    ".sc16": "ci16_le",
    ".ci8": "ci8",
    ".cs8": "ci8",
    ".cu8": "cu8",
}
"""File name extension of raw samples to the gateway's `dtype`."""
META, DATA = ".sigmf-meta", ".sigmf-data"
KNOWN = (".npy", ".sigmf", META, *RAW)


class UnknownFile(ValueError):
    """A file that cannot be sent; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """What is posted: bytes, their media type, and what the query has to say about them."""

    content: bytes
    media_type: str
    query: dict[str, str] = field(default_factory=dict)


def read(path: Path, *, receivers: int | None = None) -> Body:
    """Read a file, by its extension: .npy, .sigmf, .sigmf-meta with its .sigmf-data, raw samples.

    Args:
        path: the file.
        receivers: how many, for raw samples, which stand one receiver after the other.

    Raises:
        UnknownFile: another extension, raw samples without `receivers`, or half of a SigMF pair.
        OSError: it cannot be read.
    """
    kind = path.suffix.lower()
    if kind == ".npy":
        return Body(path.read_bytes(), NPY)
    if kind == ".sigmf":
        return Body(path.read_bytes(), SIGMF)
    if kind == META:
        return Body(_archive(path), SIGMF)
    if kind not in RAW:
        raise UnknownFile(f"{path}: {kind or 'no extension'}; known are {', '.join(KNOWN)}")
    if receivers is None:
        raise UnknownFile(f"{path}: raw samples do not say how many receivers there are: --receivers N")
    return Body(path.read_bytes(), OCTETS, {"dtype": RAW[kind], "receivers": str(receivers)})


def _archive(meta: Path) -> bytes:
    """A SigMF recording's two files as the archive that SigMF describes."""
    data = meta.with_suffix(DATA)
    if not data.is_file():
        raise UnknownFile(f"{meta}: its samples, {data.name}, are not beside it")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in (meta, data):
            entry = tarfile.TarInfo(f"{meta.stem}/{path.name}")
            content = path.read_bytes()
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
