"""The parent of several workers: holds the listeners, keeps the workers running, adds up what they report.

    SIGTERM, SIGINT   every worker drains; a second one ends all at once
    SIGHUP            one worker asks sync to look at the registry now
    SIGUSR2           every worker is replaced, one after the other; no request is dropped

A worker that ends is replaced; one that stands still is ended first, and the connections it holds with it.

The listeners outlive the workers, so a connection that comes while one is replaced waits for another.

A worker that has not been ready yet takes no connections: only the first one does, to say what is missing.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from gateway import board
from gateway.board import Board
from gateway.serving.siblings import PUSH_S
from gateway.serving.worker_link import BUFFER, Answer, Ask, FromWorker, Reload, Tell, Told, Up, receive, send
from gateway.telemetry.report import Report, departed, merged

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
STEADY_S = 10.0
"""Who lived that long is replaced at once."""

SILENT = 10
"""A worker that has missed so many of its reports in a row stands still. They are counted, not timed: to have
been stopped itself must not lead the parent to think so of the workers."""

START_S = 120.0
GATHER_S = 1.0


class Worker:
    """One process and the parent's end of its link."""

    def __init__(
        self, number: int, row: int, process: asyncio.subprocess.Process, writer: asyncio.StreamWriter
    ) -> None:
        self.number, self.row, self.process, self.writer = number, row, process, writer
        self.up = asyncio.Event()
        self.started_at = time.monotonic()
        self.last = Report()
        self.heard, self.silent = False, 0
        self.asked: dict[int, asyncio.Event] = {}

    def reports(self, report: Report, *, whole: bool) -> None:
        """What it has to tell; where that is not all, its last counts stay."""
        self.last = report if whole else Report(report.families, self.last.counts)

    def stop(self) -> None:
        """Let it drain and end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


class Workers:
    """Keeps `count` workers running on these listening sockets."""

    def __init__(self, count: int, sockets: Sequence[socket.socket]) -> None:
        self._sockets = sockets
        self._places: list[Worker | None] = [None] * count
        self._workers: set[Worker] = set()
        self._gone = Report()
        rows = 4 * count  # more than can be there at once while some are being replaced
        self._board_file = board.create(rows)
        self._board = Board(self._board_file, 0)
        self._free_rows = list(reversed(range(rows)))
        self._numbers = itertools.count(1)
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._replacing = asyncio.Lock()

    async def run(self) -> None:
        """Run until told to stop and every worker has ended."""
        self._on_signals()
        keepers = [asyncio.create_task(self._keep(place)) for place in range(len(self._places))]
        watching = asyncio.create_task(self._watch())
        await self._stopping.wait()
        log.info("draining")
        for keeper in keepers:
            keeper.cancel()
        await asyncio.wait(keepers)
        while self._workers:
            for worker in self._workers:
                worker.stop()
            await asyncio.gather(*(worker.process.wait() for worker in list(self._workers)))
            await asyncio.gather(*self._tasks, return_exceptions=True)
        watching.cancel()

    async def _keep(self, place: int) -> None:
        """A worker in this place, and when it dies, another."""
        pause = FIRST_PAUSE_S
        self._places[place] = worker = await self._start(first=place == 0)
        while True:
            status = await worker.process.wait()
            heir = self._places[place]
            if heir is None or heir is worker:
                if time.monotonic() - worker.started_at >= STEADY_S:
                    pause = FIRST_PAUSE_S
                log.error("worker %d ended with %d; another starts in %g s", worker.number, status, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
                if self._places[place] is worker:
                    self._places[place] = await self._start(first=place == 0)
                heir = self._places[place]
            worker = heir or worker

    async def _watch(self) -> None:
        """End those that stand still."""
        while True:
            await asyncio.sleep(PUSH_S)
            for worker in [one for one in self._workers if one.up.is_set()]:
                worker.silent = 0 if worker.heard else worker.silent + 1
                worker.heard = False
                if worker.silent == SILENT:
                    log.error("worker %d stands still and is ended", worker.number)
                    worker.kill()

    async def replace_all(self) -> None:
        """Replace each worker by a new one that answers before the old one drains."""
        async with self._replacing:
            for place in range(len(self._places)):
                heir = await self._start()
                if not await _is_up(heir):
                    log.error("worker %d does not start: the others stay as they are", heir.number)
                    heir.stop()
                    return
                former, self._places[place] = self._places[place], heir
                if former is not None:
                    log.info("worker %d takes the place of worker %d", heir.number, former.number)
                    former.stop()
                    await former.process.wait()

    async def _start(self, *, first: bool = False) -> Worker:
        """A new worker; the first one takes connections at once if no other does."""
        waits = not first or any(one.up.is_set() for one in self._workers)
        ours, theirs = socket.socketpair()
        descriptors = [theirs.fileno(), self._board_file, *(one.fileno() for one in self._sockets)]
        link, board, *listeners = map(str, descriptors)
        number, row = next(self._numbers), self._free_rows.pop()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "gateway.serving.worker"),
                *(link, board, str(row), str(int(waits)), *listeners),
                pass_fds=descriptors,
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=BUFFER)
        worker = Worker(number, row, process, writer)
        self._workers.add(worker)
        self._run(self._listen(worker, reader))
        return worker

    async def _listen(self, worker: Worker, reader: asyncio.StreamReader) -> None:
        while (message := await receive(reader, FromWorker)) is not None:
            worker.heard = True
            match message:
                case Up():
                    log.info("worker %d answers", worker.number)
                    worker.up.set()
                case Told(number=number, report=report, whole=whole):
                    worker.reports(report, whole=whole)
                    if (asked := worker.asked.get(number)) is not None:
                        asked.set()
                case Ask(number=number, report=report, whole=whole):
                    worker.reports(report, whole=whole)
                    self._run(self._answer(worker, number, whole=whole))
        self._workers.discard(worker)
        self._board.clear(worker.row)
        self._free_rows.append(worker.row)
        self._gone = departed(merged([self._gone, worker.last]))
        worker.writer.close()

    async def _answer(self, worker: Worker, number: int, *, whole: bool) -> None:
        """What all others report; of one that does not answer in time, what it reported last."""
        others = [one for one in self._workers if one is not worker and one.up.is_set()]
        await asyncio.gather(*(self._ask(one, whole=whole) for one in others))
        reports = [*(one.last for one in self._workers if one is not worker), self._gone]
        send(worker.writer, Answer(number, reports if whole else [Report(one.families) for one in reports]))

    async def _ask(self, worker: Worker, *, whole: bool) -> None:
        number = next(self._numbers)
        asked = worker.asked[number] = asyncio.Event()
        send(worker.writer, Tell(number, whole))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHER_S):
                await asked.wait()
        del worker.asked[number]

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        loop.add_signal_handler(signal.SIGUSR2, lambda: self._run(self.replace_all()))

    def _told_to_stop(self) -> None:
        """The first time, drain; the second time, end everything at once."""
        if self._stopping.is_set():
            for worker in self._workers:
                worker.kill()
            os._exit(1)
        self._stopping.set()

    def _reload(self) -> None:
        worker = next((one for one in self._workers if one.up.is_set()), None)
        if worker is None:
            log.warning("cannot reload: no worker answers yet")
        else:
            send(worker.writer, Reload())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _is_up(worker: Worker) -> bool:
    """Whether it answers in time, and lives."""
    up, ended = asyncio.create_task(worker.up.wait()), asyncio.create_task(worker.process.wait())
    await asyncio.wait((up, ended), timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
    for task in (up, ended):
        task.cancel()
    return worker.up.is_set() and worker.process.returncode is None
