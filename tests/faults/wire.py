"""A wire between a gateway and a part: slow, cut, garbled, or dead without a word, as a test says."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from tests.faults.threads import in_thread

Mode = Literal["well", "slow", "cut", "garbled", "silent"]
SLOW_S = 0.1
PIECE = 1 << 16


@dataclass
class Wire:
    """Passes on what both sides say.

    mode: `slow`: every piece comes late; `cut`: answers end in the middle, with the connection; `garbled`:
        answers are noise; `silent`: nothing is passed on, and a connection that has lost something so is lost
        for ever, though neither side is told: it is half open.
    """

    to: int
    mode: Mode = "well"
    port: int = 0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, up: threading.Event) -> None:
        """Listen until told to stop."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        up.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stop(self) -> None:
        """Called in the wire's own loop."""
        self._stop.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.transport.abort()
            return
        lost = asyncio.Event()
        ways = (
            asyncio.create_task(self._pass_on(reader, far_writer, lost, answers=False)),
            asyncio.create_task(self._pass_on(far_reader, writer, lost, answers=True)),
        )
        with contextlib.suppress(asyncio.CancelledError):  # asyncio's streams would complain of the end
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        writer.transport.abort()
        far_writer.transport.abort()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        lost: asyncio.Event,
        *,
        answers: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                if self.mode == "silent":
                    lost.set()
                if lost.is_set():
                    continue
                if self.mode == "slow":
                    await asyncio.sleep(SLOW_S)
                if answers and self.mode == "garbled":
                    piece = os.urandom(len(piece))
                if answers and self.mode == "cut":
                    writer.write(piece[: len(piece) // 2])
                    await writer.drain()
                    return
                writer.write(piece)
                await writer.drain()


@contextlib.contextmanager
def wire(to: int) -> Iterator[Wire]:
    """A wire to that port of this host, in a thread of its own."""
    made = Wire(to)
    with in_thread(made):
        yield made
