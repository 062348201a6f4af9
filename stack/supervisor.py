"""Start the parts in order, keep them running, stop them in reverse order."""

import asyncio
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from stack import process
from stack.guard import Guard
from stack.part import Part

TICK_S = 0.1
LOOK_S = 1.0


class State(StrEnum):
    """What a part is doing, in the words shown to the user."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    DIED = "died"
    GIVEN_UP = "given up"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Event:
    """A part has changed its state. `detail` is one line; `log` the last lines of its log, for a death."""

    part: str
    state: State
    detail: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a part is started again: after 1, 2, 4 … seconds, at most `longest_s`.

    After `attempts` ends in a row, each less than `steady_s` after the part had become ready, it is given up.
    What runs but is broken is started again too, at most once in `steady_s`, and never given up for that:
    most of what it does may well go on.
    """

    first_s: float = 1.0
    longest_s: float = 30.0
    attempts: int = 5
    steady_s: float = 60.0

    def pause_s(self, failures: int) -> float:
        """How long to wait after that many failures in a row."""
        return min(self.first_s * 2.0 ** (failures - 1), self.longest_s)


class GaveUp(Exception):
    """A part ended too often; the message names it and its log."""


class Supervisor:
    """Runs the parts. `tell` hears every change of state, on the event loop's thread."""

    def __init__(
        self,
        parts: Sequence[Part],
        logs: Path,
        guard: Guard,
        tell: Callable[[Event], None],
        patience: Patience | None = None,
    ) -> None:
        self._parts = parts
        self._logs = logs
        self._guard = guard
        self._tell = tell
        self._patience = patience or Patience()
        self._ready = {part.name: asyncio.Event() for part in parts}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._looks_at: dict[str, float] = {}

    async def run(self) -> None:
        """Run until cancelled. Nothing runs any more when this ends.

        Raises:
            GaveUp: a part ended too often.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                for part in self._parts:
                    tasks.create_task(self._keep(part))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            await self._stop()

    def kill(self) -> None:
        """Do not wait for anyone to stop in peace."""
        for running in self._running.values():
            process.signal_group(running.pid, process.KILL)

    def pid(self, name: str) -> int | None:
        """Process id of a part that runs."""
        running = self._running.get(name)
        return running.pid if running else None

    async def _keep(self, part: Part) -> None:
        """Start the part when those before it are ready, and again whenever it ends."""
        self._tell(Event(part.name, State.WAITING, f"for {', '.join(part.after)}" if part.after else ""))
        for name in part.after:
            await self._ready[name].wait()
        failures = 0
        while True:
            reason, steady = await self._once(part)
            if not reason:
                return
            failures = 1 if steady else failures + 1
            log = process.tail(self._log(part))
            if failures >= self._patience.attempts:
                self._tell(Event(part.name, State.GIVEN_UP, reason, log))
                raise GaveUp(f"{part.name} {reason}, {failures} times in a row; its log: {self._log(part)}")
            pause = self._patience.pause_s(failures)
            self._tell(Event(part.name, State.DIED, f"{reason}; starting again in {pause:g} s", log))
            await asyncio.sleep(pause)

    async def _once(self, part: Part) -> tuple[str, bool]:
        """One life of the part: why it ended ("" for a job that is done), and whether it had been steady."""
        self._tell(Event(part.name, State.STARTING))
        started = time.monotonic()
        running = process.start(part, self._log(part))
        self._guard.watch(running.pid)
        self._running[part.name] = running
        reason = await self._become_ready(part, running)
        if not reason and part.ready is None:
            await self._end(part)
            self._ready[part.name].set()
            self._tell(Event(part.name, State.DONE, f"{time.monotonic() - started:.1f} s"))
            return "", True
        steady = False
        if not reason:
            became_ready = time.monotonic()
            self._ready[part.name].set()
            self._tell(Event(part.name, State.READY, f"{became_ready - started:.1f} s"))
            reason = await self._broken(part, running)
            steady = bool(reason) or time.monotonic() - became_ready >= self._patience.steady_s
            reason = reason or f"ended with {process.ending(running.returncode)}"
            self._ready[part.name].clear()
        await self._end(part)
        return reason, steady

    async def _broken(self, part: Part, running: subprocess.Popen[bytes]) -> str:
        """Wait until the part ends (""), or why it must be ended."""
        while running.poll() is None:
            await asyncio.sleep(TICK_S)  # the end of a child sets no event
            if part.broken is None or time.monotonic() < self._looks_at.get(part.name, 0.0):
                continue
            reason = await asyncio.to_thread(part.broken, running.pid)
            pause = self._patience.steady_s if reason else LOOK_S
            self._looks_at[part.name] = time.monotonic() + pause
            if reason:
                return reason
        return ""

    async def _become_ready(self, part: Part, running: subprocess.Popen[bytes]) -> str:
        """Wait until the part is ready, or the job done; otherwise the reason why not."""
        deadline = time.monotonic() + part.start_timeout_s
        while running.poll() is None:
            if part.ready is not None and await asyncio.to_thread(part.ready):
                return ""
            if time.monotonic() > deadline:
                return f"was not ready after {part.start_timeout_s:g} s"
            await asyncio.sleep(TICK_S)
        if part.ready is None and running.returncode == 0:
            return ""
        return f"ended with {process.ending(running.returncode)}"

    async def _stop(self) -> None:
        """Stop what runs, last started first."""
        for part in reversed(self._parts):
            if part.name in self._running:
                self._tell(Event(part.name, State.STOPPING))
                await self._end(part)
                self._tell(Event(part.name, State.STOPPED))

    async def _end(self, part: Part) -> None:
        running = self._running[part.name]
        await asyncio.to_thread(process.stop, running, part.stop_timeout_s)
        self._guard.forget(running.pid)
        del self._running[part.name]

    def _log(self, part: Part) -> Path:
        return self._logs / f"{part.name}.log"
