"""Mixed traffic: recordings seen before and new ones, npy, JSON and batches, and what must be refused."""

import asyncio
import io
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np
import orjson
from numpy.typing import NDArray

from demo import shipped

CLIENTS = 6
PAUSE_S = 0.1
HANGS_S = 30.0
NPY, JSON = "application/x-npy", "application/json"
MIX = {"hit": 50, "new": 15, "json": 10, "batch": 10, "bad": 15}
SAME_DEGREES = 1e-5
"""How far the answers of one version to one recording may lie apart: the batch they travelled in matters."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer. `at` and `took` seconds; status 0: the connection broke, -1: nothing came.

    error: the problem's name, of an answer that is one.
    """

    at: float
    took: float
    kind: str
    status: int
    expected: bool
    detail: str = ""
    error: str = ""
    cached: bool = False


@dataclass(slots=True)
class Traffic:
    """The clients and what they saw."""

    url: str
    answers: list[Seen] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _known: dict[tuple[int, str], tuple[float, float]] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop."""
        recordings = [np.load(path) for path in sorted(shipped.SAMPLES.glob("*.npy"))]
        timeout = aiohttp.ClientTimeout(total=HANGS_S)
        async with aiohttp.ClientSession(self.url, timeout=timeout) as session:
            await asyncio.gather(
                *(self._client(session, stop, recordings, random.Random(one)) for one in range(CLIENTS))
            )

    async def _client(
        self,
        session: aiohttp.ClientSession,
        stop: asyncio.Event,
        recordings: list[NDArray[np.complex64]],
        chance: random.Random,
    ) -> None:
        kinds, weights = zip(*MIX.items(), strict=True)
        while not stop.is_set():
            kind = chance.choices(kinds, weights)[0]
            place = chance.randrange(len(recordings))
            path, media_type, body, expected = _request(kind, recordings[place], chance)
            begun = time.monotonic()
            status, document = await _send(session, path, media_type, body)
            took = time.monotonic() - begun
            good = status == expected and self._right(kind, place, document)
            detail = "" if good else str(document.get("detail", document))[:200]
            hit = document.get("_cache_hit") is True
            error = str(document.get("error", "")) if status != 200 else ""
            self.answers.append(Seen(begun, took, kind, status, good, detail, error, hit))
            await asyncio.sleep(PAUSE_S)

    def _right(self, kind: str, place: int, document: dict[str, Any]) -> bool:
        """One version gives one answer to one recording, however it came and wherever it was kept."""
        if kind not in ("hit", "json"):
            return True
        position = document["position"]["latitude"], document["position"]["longitude"]
        known = self._known.setdefault((place, document["model_version"]), position)
        apart = max(abs(a - b) for a, b in zip(position, known, strict=True))
        if apart > SAME_DEGREES:
            self.wrong.append(
                f"recording {place}, version {document['model_version']}: {position} and {known}"
            )
        return apart <= SAME_DEGREES


async def _send(
    session: aiohttp.ClientSession, path: str, media_type: str, body: bytes
) -> tuple[int, dict[str, Any]]:
    try:
        async with session.post(path, data=body, headers={"Content-Type": media_type}) as response:
            return response.status, await response.json(content_type=None)
    except TimeoutError:
        return -1, {}
    except aiohttp.ClientError as error:
        return 0, {"detail": str(error)}


def _request(
    kind: str, recording: NDArray[np.complex64], chance: random.Random
) -> tuple[str, str, bytes, int]:
    if kind == "hit":
        return "/predict", NPY, _npy(recording), 200
    if kind == "new":
        return "/predict", NPY, _npy(_altered(recording, chance)), 200
    if kind == "json":
        pairs = np.stack([recording.real, recording.imag], axis=-1)
        return "/predict", JSON, orjson.dumps({"iq_data": pairs}, option=orjson.OPT_SERIALIZE_NUMPY), 200
    if kind == "batch":
        both = np.stack([recording, _altered(recording, chance)])
        return "/predict/batch", NPY, _npy(both), 200
    return chance.choice(_BAD)(recording)


_BAD: list[Callable[[NDArray[np.complex64]], tuple[str, str, bytes, int]]] = [
    lambda recording: ("/predict", NPY, _npy(recording[:1]), 400),
    lambda recording: ("/predict", NPY, _npy(recording)[:-100], 400),
    lambda recording: ("/predict", NPY, _npy(np.full_like(recording, np.nan)), 400),
    lambda _: ("/predict", JSON, b'{"iq_data": [[0.1, 0.2], [0.3]]}', 400),
    lambda _: ("/models/nobody/predict", NPY, b"x", 404),
    lambda _: ("/predict", "text/html", b"<p>", 415),
]


def _altered(recording: NDArray[np.complex64], chance: random.Random) -> NDArray[np.complex64]:
    """A recording never seen before, about as loud."""
    return (recording * np.complex64(chance.uniform(0.9, 1.1))).astype(np.complex64)


def _npy(array: NDArray[np.complex64]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
