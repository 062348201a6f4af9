"""Clients of every kind, whose recordings' truths are known and told."""

import asyncio
import io
import json
import random
from dataclasses import dataclass, field

import aiohttp
import numpy as np
import orjson
from numpy.typing import NDArray

from demo.dataset import SEEDS
from demo.scene import SCENE, Capture, simulate

CAPTURES = 160
KNOWN = 40
CLIENTS = 6
PAUSE_S = 0.2
NPY, JSON = "application/x-npy", "application/json"
MIX = {"hit": 68, "new": 14, "json": 8, "batch": 5, "late": 2, "bad": 3}
TELL_WITHIN = 10
"""Tries, a second apart: a prediction can be judged once it is remembered, behind its answer."""


@dataclass(slots=True)
class Traffic:
    """Sends until told to stop; `answered` counts by status."""

    url: str
    answered: dict[int, int] = field(default_factory=dict)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self, stop: asyncio.Event) -> None:
        """Every client at once."""
        captures = await asyncio.to_thread(_captures)
        async with aiohttp.ClientSession(self.url, timeout=aiohttp.ClientTimeout(total=30)) as session:
            clients = (self._client(session, stop, captures, random.Random(one)) for one in range(CLIENTS))
            await asyncio.gather(*clients)
            await asyncio.gather(*self._tasks)

    async def burst(self, count: int, seconds: float) -> None:
        """So many new recordings at once, again and again: more than the machine bears."""
        capture = await asyncio.to_thread(simulate, SCENE, SEEDS.samples, CAPTURES)
        chance = random.Random(99)
        until = asyncio.get_running_loop().time() + seconds
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(self.url, connector=connector) as session:
            while asyncio.get_running_loop().time() < until:
                bodies = [_npy(_altered(capture.iq, chance)) for _ in range(count)]
                await asyncio.gather(*(self._post(session, "/predict", NPY, body) for body in bodies))

    async def _client(
        self,
        session: aiohttp.ClientSession,
        stop: asyncio.Event,
        captures: list[Capture],
        chance: random.Random,
    ) -> None:
        kinds, weights = zip(*MIX.items(), strict=True)
        while not stop.is_set():
            kind = chance.choices(kinds, weights)[0]
            capture = captures[chance.randrange(len(captures) if kind != "hit" else KNOWN)]
            document = await self._send(session, kind, capture, chance)
            if kind == "new" and "id" in document:
                task = asyncio.create_task(self._tell(session, document["id"], capture))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(PAUSE_S * chance.uniform(0.5, 1.5))

    async def _send(
        self, session: aiohttp.ClientSession, kind: str, capture: Capture, chance: random.Random
    ) -> dict[str, str]:
        user = f"?session_id=van-{chance.randrange(60)}" if chance.random() < 0.3 else ""
        fresh = _altered(capture.iq, chance)
        if kind == "hit":
            return await self._post(session, f"/predict{user}", NPY, _npy(capture.iq))
        if kind == "new":
            return await self._post(session, f"/predict{user}", NPY, _npy(fresh))
        if kind == "json":
            pairs = np.stack([capture.iq.real, capture.iq.imag], axis=-1)
            body = orjson.dumps({"iq_data": pairs}, option=orjson.OPT_SERIALIZE_NUMPY)
            return await self._post(session, "/predict", JSON, body)
        if kind == "batch":
            return await self._post(session, "/predict/batch", NPY, _npy(np.stack([capture.iq, fresh])))
        if kind == "late":
            return await self._post(session, "/predict", NPY, _npy(fresh), {"X-Request-Timeout-Ms": "6"})
        return await self._post(session, "/predict", NPY, _npy(fresh[:1]))

    async def _tell(self, session: aiohttp.ClientSession, prediction: str, capture: Capture) -> None:
        latitude, longitude = map(float, capture.position)
        truth = {"id": prediction, "latitude": latitude, "longitude": longitude}
        for _ in range(TELL_WITHIN):
            if "error_m" in await self._post(session, "/feedback", JSON, json.dumps(truth).encode()):
                return
            await asyncio.sleep(1)

    async def _post(
        self,
        session: aiohttp.ClientSession,
        path: str,
        media_type: str,
        body: bytes,
        headers: dict[str, str] | None = None,
    ) -> dict[str, str]:
        try:
            async with session.post(
                path, data=body, headers={"Content-Type": media_type, **(headers or {})}
            ) as response:
                self.answered[response.status] = self.answered.get(response.status, 0) + 1
                document: dict[str, str] = await response.json(content_type=None)
                return document
        except (TimeoutError, aiohttp.ClientError):
            self.answered[0] = self.answered.get(0, 0) + 1
            return {}


def _captures() -> list[Capture]:
    return [simulate(SCENE, SEEDS.samples, index) for index in range(CAPTURES)]


def _altered(recording: NDArray[np.complex64], chance: random.Random) -> NDArray[np.complex64]:
    """Another recording of the same place, as loud but for a thousandth."""
    return (recording * np.complex64(chance.uniform(0.999, 1.001))).astype(np.complex64)


def _npy(array: NDArray[np.complex64]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
