"""SigMF archives: one Recording whose channels are the receivers, or a Collection whose streams are."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.domain import Complex, Options, PredictRequest, Recording
from gateway.errors import InvalidInput
from gateway.wire import json_text, tar
from gateway.wire.options import MAX_RECEIVERS, text
from gateway.wire.samples import iq_from_parts
from gateway.wire.show import count, kind, shown

META, DATA, COLLECTION = ".sigmf-meta", ".sigmf-data", ".sigmf-collection"

_MAX_METADATA = 1 << 20
_OUTSIDE = ("core:dataset", "core:metadata_only", "core:trailing_bytes")
# dtype of one part (I or Q), by SigMF's name of the samples.
_PARTS: dict[str, np.dtype[Any]] = {
    "cf32_le": np.dtype("<f4"),
    "cf32_be": np.dtype(">f4"),
    "cf64_le": np.dtype("<f8"),
    "cf64_be": np.dtype(">f8"),
    "ci16_le": np.dtype("<i2"),
    "ci16_be": np.dtype(">i2"),
    "ci8": np.dtype("i1"),
    "cu8": np.dtype("u1"),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Stream:
    """One Recording of the archive: complex64 (channels, samples) and what its metadata say."""

    iq: Complex
    sample_rate_hz: float | None
    frequency_hz: float | None


def request(body: bytes, options: Options) -> PredictRequest:
    """Read an archive; its sample rate and frequency become options.

    Raises:
        InvalidInput: not a plain tar archive with one Recording or one Collection, metadata that are missing,
            wrong or contradict the options, a checksum that differs, or samples that are not finite.
    """
    files = tar.files(body)
    collections = [path for path in files if path.endswith(COLLECTION)]
    if len(collections) > 1:
        raise InvalidInput(f"has {len(collections)} Collections; one is allowed", field="archive")
    stream = _collection(files, collections[0]) if collections else _recording(files)
    frequency = stream.frequency_hz / 1e6 if stream.frequency_hz else None
    options = msgspec.structs.replace(
        options,
        sample_rate_hz=_agreed("sample_rate_hz", stream.sample_rate_hz, options.sample_rate_hz),
        frequency_mhz=_agreed("frequency_mhz", frequency, options.frequency_mhz),
    )
    return PredictRequest(Recording(iq=stream.iq), options)


def _recording(files: Mapping[str, memoryview]) -> _Stream:
    metas = [path for path in files if path.endswith(META)]
    if len(metas) != 1:
        raise InvalidInput(
            f"has {len(metas)} {META} files; one Recording is allowed, or several with a Collection that "
            "says their order",
            field="archive",
        )
    return _stream(files, metas[0])


def _collection(files: Mapping[str, memoryview], path: str) -> _Stream:
    """Every stream is one receiver, in the Collection's order."""
    listed = _object(_metadata(files[path], path), "collection", path).get("core:streams")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_RECEIVERS:
        raise InvalidInput(
            f"must be an array of 1 to {MAX_RECEIVERS} Recordings", field=f"{path} core:streams"
        )
    names = [one.get("name") if isinstance(one, dict) else None for one in listed]
    if twice := next((name for i, name in enumerate(names) if name is not None and name in names[:i]), None):
        raise InvalidInput(f"names {shown(twice)} more than once", field=f"{path} core:streams")
    streams = [_member(files, one, f"{path} core:streams[{i}]") for i, one in enumerate(listed)]
    for i, stream in enumerate(streams):
        _check_alike(stream, streams[0], f"{path} core:streams[{i}]")
    frequencies = {stream.frequency_hz for stream in streams}
    return _Stream(
        iq=np.concatenate([stream.iq for stream in streams]),
        sample_rate_hz=streams[0].sample_rate_hz,
        frequency_hz=_one_frequency(frequencies, f"{path} core:streams"),
    )


def _member(files: Mapping[str, memoryview], listed: Any, at: str) -> _Stream:
    if not isinstance(listed, dict):
        raise InvalidInput(f"must be an object with a name, got {kind(listed)}", field=at)
    name = text(listed.get("name"), f"{at}.name")
    paths = [path for path in files if path.rpartition("/")[2] == name + META]
    if len(paths) != 1:
        raise InvalidInput(
            f"archive has {count(len(paths), 'file')} {shown(name + META)}", field=f"{at}.name"
        )
    _check_digest(files[paths[0]], listed.get("hash"), f"{at}.hash")
    return _stream(files, paths[0])


def _check_alike(stream: _Stream, first: _Stream, at: str) -> None:
    if len(stream.iq) != 1:
        raise InvalidInput(f"has {len(stream.iq)} channels; a stream is one receiver", field=at)
    if stream.iq.shape != first.iq.shape:
        raise InvalidInput(
            f"{count(stream.iq.shape[1], 'sample')} where the first stream has {first.iq.shape[1]:,}",
            field=at,
        )
    if stream.sample_rate_hz != first.sample_rate_hz:
        raise InvalidInput(
            f"core:sample_rate {shown(stream.sample_rate_hz)} where the first stream has "
            f"{shown(first.sample_rate_hz)}",
            field=at,
        )


def _stream(files: Mapping[str, memoryview], path: str) -> _Stream:
    document = _metadata(files[path], path)
    described = _object(document, "global", path)
    for name in _OUTSIDE:
        if described.get(name):
            raise InvalidInput("a dataset other than plain samples in the archive is not allowed", field=name)
    data_path = path.removesuffix(META) + DATA
    if data_path not in files:
        raise InvalidInput(f"has no {shown(data_path)} beside its {META} file", field="archive")
    data = files[data_path]
    _check_digest(data, described.get("core:sha512"), "core:sha512")
    return _Stream(
        iq=_samples(data, described),
        sample_rate_hz=_number(described.get("core:sample_rate"), "core:sample_rate"),
        frequency_hz=_frequency(document.get("captures", [])),
    )


def _samples(data: memoryview, described: Mapping[str, Any]) -> Complex:
    """Samples of all channels in turn to complex64 (channels, samples)."""
    datatype = described.get("core:datatype")
    if not isinstance(datatype, str) or datatype not in _PARTS:
        raise InvalidInput(
            f"must be one of {', '.join(_PARTS)}, got {shown(datatype)}", field="core:datatype"
        )
    channels = described.get("core:num_channels", 1.0)
    if type(channels) is not float or not (channels.is_integer() and 1 <= channels <= MAX_RECEIVERS):
        raise InvalidInput(
            f"must be a whole number from 1 to {MAX_RECEIVERS}, got {shown(channels)}",
            field="core:num_channels",
        )
    step = int(channels) * 2 * _PARTS[datatype].itemsize
    if not data or len(data) % step:
        raise InvalidInput(
            f"must be a positive multiple of {step:,} bytes to hold {datatype} samples of "
            f"{count(int(channels), 'channel')}, got {len(data):,}",
            field=DATA,
        )
    parts: NDArray[Any] = np.frombuffer(data, _PARTS[datatype]).reshape(-1, int(channels), 2)
    return iq_from_parts(parts.transpose(1, 0, 2), "samples")


def _frequency(captures: Any) -> float | None:
    """The centre frequency that the captures agree on, in Hz."""
    if not isinstance(captures, list) or not all(isinstance(capture, dict) for capture in captures):
        raise InvalidInput("must be an array of objects", field="captures")
    if any(capture.get("core:header_bytes") for capture in captures):
        raise InvalidInput("bytes between samples are not allowed", field="core:header_bytes")
    given = {_number(capture.get("core:frequency"), "core:frequency", zero=True) for capture in captures}
    return _one_frequency(given, "captures")


def _one_frequency(given: set[float | None], field: str) -> float | None:
    known = sorted(one for one in given if one is not None)
    if len(known) > 1:
        raise InvalidInput(
            f"differ in core:frequency, from {shown(known[0])} to {shown(known[-1])} Hz; one is allowed",
            field=field,
        )
    return known[0] if known else None


def _number(value: Any, field: str, *, zero: bool = False) -> float | None:
    if value is None:
        return None
    if type(value) is not float or not 0 <= value < math.inf or (value == 0 and not zero):
        bound = "0 or above" if zero else "above 0"
        raise InvalidInput(f"must be a finite number {bound}, got {shown(value)}", field=field)
    return value


def _agreed(name: str, archive: float | None, option: float | None) -> float | None:
    if archive is not None and option is not None and archive != option:
        raise InvalidInput(
            f"{shown(option)} in the query string, but {shown(archive)} in the archive", field=name
        )
    return option if archive is None else archive


def _metadata(content: memoryview, path: str) -> dict[str, Any]:
    if len(content) > _MAX_METADATA:
        raise InvalidInput(f"{len(content):,} bytes; at most {_MAX_METADATA:,} are allowed", field=path)
    return json_text.load(bytes(content), where=path)


def _object(document: Mapping[str, Any], name: str, path: str) -> dict[str, Any]:
    found = document.get(name)
    if not isinstance(found, dict):
        raise InvalidInput(f'must have an object "{name}", got {kind(found)}', field=path)
    return found


def _check_digest(content: memoryview, given: Any, field: str) -> None:
    """SHA-512 in hexadecimal, where it is given."""
    if given is None:
        return
    if not isinstance(given, str) or hashlib.sha512(content).hexdigest() != given.lower():
        raise InvalidInput("is not the SHA-512 of the file in the archive", field=field)
