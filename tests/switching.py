"""Move the champion back and forth under load, and keep what every request saw."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

CONNECTIONS = 100
PATIENCE_S = 30.0
HEADERS = {"Content-Type": "application/octet-stream"}
QUERY = "?dtype=f32_le&cache_enabled=false"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `began` and `ended` on the monotonic clock, in seconds."""

    began: float
    ended: float
    status: int
    version: int


@dataclass(slots=True)
class Move:
    """One alias move: to which version, when it was ordered, when the first answer by it came."""

    version: int
    ordered: float
    seen: float


@dataclass(slots=True)
class Drive:
    """What a run gave."""

    answers: list[Answer] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    def failures(self) -> list[Answer]:
        """Answers that are none."""
        return [answer for answer in self.answers if answer.status != 200]

    def strays(self) -> list[Answer]:
        """Answers by a version that was no longer, or not yet, champion at any moment of their request.

        Once an answer by the new champion is in, every request that begins later must be answered by it,
        until the next move is ordered; nobody may be answered by a version that neither move names.
        """
        ends = [*(move.ordered for move in self.moves[1:]), float("inf")]
        strays = []
        for move, end in zip(self.moves, ends, strict=True):
            during = [one for one in self.answers if move.seen < one.began and one.ended < end]
            strays += [one for one in during if one.version != move.version]
        return strays


async def drive(url: str, body: bytes, versions: list[int], order: Callable[[int], None]) -> Drive:
    """Keep `CONNECTIONS` requests under way while `order` makes each version champion in turn."""
    run = Drive()
    stop = asyncio.Event()
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(_hammer(session, url + "/predict" + QUERY, body, stop, run))
        try:
            for version in versions:
                run.moves.append(await _move(version, order, run))
        finally:
            stop.set()
    return run


async def _move(version: int, order: Callable[[int], None], run: Drive) -> Move:
    known = len(run.answers)
    ordered = time.monotonic()
    await asyncio.to_thread(order, version)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for answer in run.answers[known:]:
                if answer.version == version and answer.began > ordered:
                    return Move(version, ordered, answer.ended)
            known = len(run.answers)
            await asyncio.sleep(0.01)


async def _hammer(
    session: aiohttp.ClientSession, url: str, body: bytes, stop: asyncio.Event, run: Drive
) -> None:
    while not stop.is_set():
        began = time.monotonic()
        async with session.post(url, data=body, headers=HEADERS) as response:
            await response.read()
            version = int(response.headers.get("X-Model-Version", 0))
        run.answers.append(Answer(began, time.monotonic(), response.status, version))
