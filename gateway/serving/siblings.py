"""This process among the workers of one parent: what all of them report together."""

import asyncio
import itertools
from collections.abc import Callable

from gateway.serving.worker_link import (
    Answer,
    Ask,
    FromWorker,
    Reload,
    Tell,
    Told,
    ToWorker,
    Up,
    receive,
    send,
)
from gateway.telemetry.report import Report, merged

PUSH_S = 1.0
"""How often a worker reports of its own accord: what it counted since is lost if it is killed."""

WAIT_S = 2.0


class Siblings:
    """What all processes report. Without a link to a parent this one is all there is.

    Args:
        own: makes this process's report, whole or without counts.
    """

    def __init__(self, own: Callable[[bool], Report]) -> None:
        self._own = own
        self._writer: asyncio.StreamWriter | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[list[Report]]] = {}

    @property
    def alone(self) -> bool:
        """Whether there is no parent."""
        return self._writer is None

    async def report(self, *, whole: bool = True) -> Report:
        """Of all processes; of this one alone when the parent does not answer. Not whole: without counts."""
        own = self._own(whole)
        if self._writer is None:
            return own
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self._send(Ask(number, own, whole))
        try:
            async with asyncio.timeout(WAIT_S):
                others = await answer
        except TimeoutError:
            others = []
        finally:
            del self._asked[number]
        return merged([own, *others])

    def link(self, writer: asyncio.StreamWriter) -> None:
        """From now on the parent hears what this process has to tell."""
        self._writer = writer

    async def follow(self, reader: asyncio.StreamReader, reload: Callable[[], None]) -> None:
        """Do as the parent says, until it is gone; `reload` only begins, for the parent is to be heard."""
        pushing = asyncio.create_task(self._push())
        try:
            while (message := await receive(reader, ToWorker)) is not None:
                match message:
                    case Tell(number=number, whole=whole):
                        self.tell(number, whole=whole)
                    case Answer(number=number, reports=reports):
                        if (asked := self._asked.get(number)) is not None and not asked.done():
                            asked.set_result(reports)
                    case Reload():
                        reload()
        finally:
            pushing.cancel()

    def up(self) -> None:
        """Say that requests are answered."""
        self._send(Up())

    def tell(self, number: int = 0, *, whole: bool = True) -> None:
        """Report."""
        self._send(Told(number, self._own(whole), whole))

    async def _push(self) -> None:
        while True:
            self.tell()
            await asyncio.sleep(PUSH_S)

    def _send(self, message: FromWorker) -> None:
        if self._writer is not None:
            send(self._writer, message)
