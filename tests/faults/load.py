"""Clients that never cease to ask, mostly something else each time, and know the right answer."""

import asyncio
import contextlib
import itertools
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
import numpy as np

from tests.gateway.waiting import until

CLIENTS = 16
DEADLINE_MS = 1500
SLACK_S = 3.0
"""By how much an answer may miss its deadline where the machine has much else to do."""
HANGS_S = 20.0
"""A client that has waited so long is let go; nobody may be kept so long, whatever else is allowed."""
LOOK_S = 0.05
RECOVERED = 3 * CLIENTS
"""Good answers in a row that show that all is well again."""
LOADS = itertools.count()
"""No two ask the same: what one has been answered is no other's hit."""
AGAIN = 0.25
"""Of the requests, how many ask what somebody has asked before: what a cache gives must be right as well."""
HEADERS = {"Content-Type": "application/octet-stream", "X-Request-Timeout-Ms": str(DEADLINE_MS)}


Row = tuple[np.float32, np.float32]
"""A position: the model that is asked answers it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. status 0: the connection broke; -1: none came. right: it is that of our own recording."""

    began: float
    ended: float
    status: int
    right: bool = True
    retry_after: str | None = None
    detail: str = ""

    @property
    def took_s(self) -> float:
        """From the first word of the request to the last of the answer."""
        return self.ended - self.began


@dataclass(slots=True)
class Load:
    """What the clients saw. stalled_s: the longest that the test itself kept them from looking."""

    answers: list[Answer] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    asked: deque[Row] = field(default_factory=lambda: deque(maxlen=256))
    stalled_s: float = 0.0

    @property
    def statuses(self) -> Counter[int]:
        """How often each status."""
        return Counter(one.status for one in self.answers)

    def late(self, by_s: float = SLACK_S) -> list[Answer]:
        """Those that came, or broke off, later after their deadline than that."""
        longest = DEADLINE_MS / 1e3 + by_s + self.stalled_s
        return [one for one in self.answers if one.took_s > longest]

    async def look(self) -> None:
        """Notice, for ever, when nobody here can see what comes."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(LOOK_S)
            self.stalled_s = max(self.stalled_s, time.monotonic() - before - LOOK_S)

    async def answered(self, status: int, count: int = 1, *, within_s: float = 30) -> None:
        """Wait for answers of this status that come from now on."""
        before = self.statuses[status]
        await self._until(
            lambda: self.statuses[status] >= before + count, within_s, f"{count} times status {status}"
        )

    async def failed(self, count: int = 1, *, within_s: float = 30) -> None:
        """Wait for answers that are none to requests that begin from now on."""
        now = time.monotonic()
        await self._until(
            lambda: sum(one.status != 200 for one in self.answers if one.began > now) >= count,
            within_s,
            f"{count} failures",
        )

    async def recovered(self, *, within_s: float) -> None:
        """Wait for nothing but good answers.

        Raises:
            AssertionError: it took longer.
        """
        now = time.monotonic()

        def well() -> bool:
            newest = [one.status for one in self.answers if one.began > now][-RECOVERED:]
            return newest == [200] * RECOVERED

        await self._until(well, within_s, "recovery")

    async def _until(self, holds: Callable[[], bool], within_s: float, what: str) -> None:
        try:
            await until(holds, within_s=within_s)
        except TimeoutError:
            raise AssertionError(
                f"no {what} in {within_s:g} s; so far {self.statuses}, last {self.answers[-3:]}"
            ) from None


@contextlib.asynccontextmanager
async def load(
    url: str, *, allowed: set[int] | None = None, clients: int = CLIENTS, late_by_s: float = SLACK_S
) -> AsyncIterator[Load]:
    """Ask until the block ends; then every answer must have come, in time, be right, and be 200 or allowed.

    Args:
        url: whom to ask.
        allowed: statuses beside 200.
        clients: how many ask at a time.
        late_by_s: how much later than its deadline an answer, or the end of a connection, may come.
    """
    seen = Load()
    stop = asyncio.Event()
    timeout = aiohttp.ClientTimeout(total=HANGS_S)
    connector = aiohttp.TCPConnector(limit=clients)
    looking = asyncio.create_task(seen.look())
    async with aiohttp.ClientSession(url, timeout=timeout, connector=connector) as session:
        asking = [asyncio.create_task(_ask(session, stop, seen, number)) for number in range(clients)]
        try:
            yield seen
        finally:
            stop.set()
            await asyncio.gather(*asking)
            looking.cancel()
    assert seen.statuses[-1] == 0, f"requests hang: {seen.statuses}"
    late = seen.late(late_by_s)
    assert not late, (seen.stalled_s, len(late), max(one.took_s for one in late), late[:3])
    assert all(one.right for one in seen.answers), "an answer was that of another recording"
    unexpected = [one for one in seen.answers if one.status not in {200, *(allowed or ())}]
    assert not unexpected, (seen.statuses, unexpected[:3])
    assert all(one.retry_after for one in seen.answers if one.status == 503), "503 without Retry-After"
    assert len(set(seen.ids)) == len(seen.ids), "two predictions have one id"


async def _ask(session: aiohttp.ClientSession, stop: asyncio.Event, seen: Load, number: int) -> None:
    rng = np.random.default_rng((next(LOADS), number))
    while not stop.is_set():
        if seen.asked and rng.random() < AGAIN:
            row = seen.asked[rng.integers(len(seen.asked))]
        else:
            latitude, longitude = rng.uniform(-60, 60, 2).astype("<f4")
            row = (latitude, longitude)
            seen.asked.append(row)
        answer = await _answer(session, seen, row)
        seen.answers.append(answer)
        if answer.status == 0:
            await asyncio.sleep(0.01)


async def _answer(session: aiohttp.ClientSession, seen: Load, row: Row) -> Answer:
    latitude, longitude = row
    body = np.array([latitude, longitude, 100, 200, 0.5], "<f4").tobytes()
    began = time.monotonic()
    try:
        async with session.post("/predict?dtype=f32_le", data=body, headers=HEADERS) as response:
            document = await response.json(content_type=None)
    except TimeoutError:
        return Answer(began, time.monotonic(), -1)
    except aiohttp.ClientError:
        return Answer(began, time.monotonic(), 0)
    ended = time.monotonic()
    right = response.status != 200 or document["position"] == {
        "latitude": float(latitude),
        "longitude": float(longitude),
    }
    if response.status == 200:
        seen.ids.append(document["id"])
    waits = response.headers.get("Retry-After")
    return Answer(began, ended, response.status, right, waits, document.get("detail", ""))
