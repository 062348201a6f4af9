"""What the users of a load test send (pure): known and new recordings, in several forms, some in batches."""

import io
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks import bodies

KNOWN = 40
"""Recordings that are asked for again and again."""

DECIMALS = 6
KNOWN_SHARE = 0.88
SESSION_SHARE = 0.3
BATCH_ITEMS = 5
KINDS = {"npy": 70, "JSON": 15, "raw": 10, "batch of 5, npy": 5}
"""Kind of request to its share, in percent."""

MIX = (
    f"{KINDS['npy']} % npy, {KINDS['JSON']} % JSON, {KINDS['raw']} % raw samples, "
    f"{KINDS['batch of 5, npy']} % batches of {BATCH_ITEMS} (npy); {KNOWN_SHARE * 100:g} % of the "
    f"recordings are among {KNOWN} known ones, the others are new; {SESSION_SHARE * 100:g} % of the requests "
    "belong to a session; no think time"
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `kind` names it in the report."""

    kind: str
    path: str
    body: bytes
    headers: Mapping[str, str]


class Traffic:
    """The known recordings with their bodies, for a model that takes IQ, or tensors when `tensor`."""

    def __init__(self, model: str, *, tensor: bool, seed: int = 0) -> None:
        self._path = f"/models/{model}/predict"
        self._tensor = tensor
        draw = bodies.tensor if tensor else bodies.recording
        known = [_short(draw(seed * KNOWN + number)) for number in range(KNOWN)]
        self._raw = [array.tobytes() for array in known]
        self._known = known
        self._head = _npy_head(known[0].shape, known[0].dtype)
        self._batch_head = _npy_head((BATCH_ITEMS, *known[0].shape), known[0].dtype)

    @cached_property
    def _json(self) -> list[tuple[bytes, bytes, bytes]]:
        return [self._as_json(array) for array in self._known]

    def prepare(self) -> None:
        """Write out all JSON bodies, which takes a moment, before the clock starts."""
        self._json  # noqa: B018 - kept from now on

    def ask(self, rng: random.Random, session: str) -> Ask:
        """The next request of a user."""
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        options = [f"session_id={session}"] if kind != "JSON" and rng.random() < SESSION_SHARE else []
        match kind:
            case "JSON":
                return Ask(kind, self._path, self._json_body(rng, session), bodies.JSON)
            case "raw":
                options.append("dtype=f32_le" if self._tensor else "dtype=cf32_le&receivers=3")
                return Ask(kind, self._with(options), self._recording(rng), bodies.OCTETS)
            case "npy":
                return Ask(kind, self._with(options), self._head + self._recording(rng), NPY)
        items = b"".join(self._recording(rng) for _ in range(BATCH_ITEMS))
        return Ask(kind, self._with(options, "/batch"), self._batch_head + items, NPY)

    def known(self) -> list[Ask]:
        """Every known recording once."""
        return [Ask("npy", self._path, self._head + raw, NPY) for raw in self._raw]

    def _with(self, options: list[str], suffix: str = "") -> str:
        return self._path + suffix + ("?" + "&".join(options) if options else "")

    def _recording(self, rng: random.Random) -> bytes:
        """Samples of a known recording, or of one that nobody has seen: another first value."""
        raw = rng.choice(self._raw)
        if rng.random() < KNOWN_SHARE:
            return raw
        return np.float32(rng.random()).tobytes() + raw[4:]

    def _json_body(self, rng: random.Random, session: str) -> bytes:
        start, first, rest = rng.choice(self._json)
        value = first if rng.random() < KNOWN_SHARE else b"%.9f" % rng.random()
        given = f'"session_id": "{session}", '.encode() if rng.random() < SESSION_SHARE else b""
        return b"{" + given + start + value + rest

    def _as_json(self, array: NDArray[np.generic]) -> tuple[bytes, bytes, bytes]:
        """What stands before the first number, that number, and what follows it."""
        name = "features" if self._tensor else "iq_data"
        values = array if self._tensor else array.view("<f4").reshape(*array.shape, 2)
        text = orjson.dumps({name: values.astype(np.float64).round(DECIMALS).tolist()})
        first = text.index(b"[[[") + 3
        end = text.index(b",", first)
        return text[1:first], text[first:end], text[end:]


NPY = {"Content-Type": "application/x-npy"}


def _short(array: NDArray[Any]) -> NDArray[Any]:
    """The same with numbers of few digits: as text they are the same float32, and as short as a client's."""
    values = array.view("<f4").astype(np.float64).round(DECIMALS).astype("<f4")
    return values.view(array.dtype)


def _npy_head(shape: tuple[int, ...], dtype: "np.dtype[np.generic]") -> bytes:
    file = io.BytesIO()
    described = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()
