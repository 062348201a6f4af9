"""The supervisor, over small real processes."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from stack import process
from stack import supervisor as supervising
from stack.guard import Guard
from stack.part import Part
from stack.supervisor import Event, GaveUp, Patience, State, Supervisor

HASTE = Patience(first_s=0.01, longest_s=0.02, attempts=3)
PATIENCE_S = 20.0

# Says that it is up by touching argv[1], and lives until it is told to stop.
SERVER = (
    "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); print('up', flush=True); time.sleep(600)"
)
# The same with a child; the leader does not stop it.
PARENT = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    + SERVER
)
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SERVER
DYING = "print('no disk left', flush=True); raise SystemExit(3)"


class Recorder:
    """Every event so far, and a way to wait for one."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = asyncio.Event()

    def tell(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    def states(self, *states: State) -> list[tuple[str, State]]:
        """Part and state of those events that are in one of the states, in order."""
        return [(one.part, one.state) for one in self.events if one.state in states]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def guard() -> Iterator[Guard]:
    with Guard() as made:
        yield made


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def server(folder: Path, name: str, program: str = SERVER, *, after: tuple[str, ...] = ()) -> Part:
    up = folder / f"{name}.up"
    return Part(
        name=name,
        command=(sys.executable, "-c", program, str(up)),
        folder=folder,
        address="",
        ready=up.exists,
        after=after,
        stop_timeout_s=5,
    )


def job(folder: Path, name: str, program: str, *, after: tuple[str, ...] = ()) -> Part:
    return Part(
        name=name,
        command=(sys.executable, "-c", program),
        folder=folder,
        address="",
        ready=None,
        after=after,
    )


@contextlib.asynccontextmanager
async def supervised(supervisor: Supervisor) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(supervisor.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, GaveUp):
            await task


async def test_parts_start_after_those_they_need_and_stop_in_reverse(
    tmp_path: Path, guard: Guard, recorder: Recorder
) -> None:
    parts = [
        server(tmp_path, "a"),
        server(tmp_path, "b"),
        job(tmp_path, "j", "open('j.done', 'w')", after=("a",)),
        server(tmp_path, "c", after=("b", "j")),
    ]
    supervisor = Supervisor(parts, tmp_path / "logs", guard, recorder.tell, HASTE)
    async with supervised(supervisor):
        await recorder.until(lambda: ("c", State.READY) in recorder.states(State.READY))
        pids = [supervisor.pid(name) for name in "abc"]
        assert (tmp_path / "j.done").exists()
    order = recorder.states(State.STARTING, State.READY, State.DONE)
    for before, after in (
        (("a", State.READY), ("j", State.STARTING)),
        (("j", State.DONE), ("c", State.STARTING)),
        (("b", State.READY), ("c", State.STARTING)),
    ):
        assert order.index(before) < order.index(after)
    assert recorder.states(State.STOPPED) == [(name, State.STOPPED) for name in "cba"]
    for pid in pids:
        assert pid is not None
        assert not process.members(pid)


async def test_a_part_that_dies_is_named_with_its_log_and_started_again(
    tmp_path: Path, guard: Guard, recorder: Recorder
) -> None:
    supervisor = Supervisor([server(tmp_path, "a")], tmp_path / "logs", guard, recorder.tell, HASTE)
    async with supervised(supervisor):
        await recorder.until(lambda: recorder.states(State.READY))
        first = supervisor.pid("a")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await recorder.until(lambda: len(recorder.states(State.READY)) == 2)
        assert supervisor.pid("a") not in (None, first)
    [death] = [event for event in recorder.events if event.state is State.DIED]
    assert death.part == "a"
    assert death.detail.startswith("ended with signal SIGKILL; starting again in")
    assert death.log.strip() == "up"


async def test_a_part_that_is_broken_is_started_again_now_and_then_and_never_given_up(
    tmp_path: Path, guard: Guard, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "LOOK_S", 0.0)
    asked: list[int] = []

    def broken(pid: int) -> str:
        asked.append(pid)
        return "has lost its head"

    one = dataclasses.replace(server(tmp_path, "a"), broken=broken)
    haste = dataclasses.replace(HASTE, steady_s=0.3)
    async with supervised(Supervisor([one], tmp_path / "logs", guard, recorder.tell, haste)):
        await recorder.until(lambda: len(recorder.states(State.READY)) > HASTE.attempts + 1)
    deaths = [event for event in recorder.events if event.state is State.DIED]
    assert {death.detail for death in deaths} == {"has lost its head; starting again in 0.01 s"}
    assert len(set(asked)) == len(asked), "asked again before its time"


async def test_a_part_that_keeps_dying_ends_the_stack(
    tmp_path: Path, guard: Guard, recorder: Recorder
) -> None:
    parts = [server(tmp_path, "a"), server(tmp_path, "bad", DYING)]
    supervisor = Supervisor(parts, tmp_path / "logs", guard, recorder.tell, HASTE)
    with pytest.raises(GaveUp, match="bad ended with status 3, 3 times in a row"):
        await asyncio.wait_for(supervisor.run(), PATIENCE_S)
    assert len(recorder.states(State.DIED)) == 2
    last = next(event for event in recorder.events if event.state is State.GIVEN_UP)
    assert last.log.splitlines()[-1].strip() == "no disk left"
    assert ("a", State.STOPPED) in recorder.states(State.STOPPED)


async def test_a_job_that_fails_is_tried_again(tmp_path: Path, guard: Guard, recorder: Recorder) -> None:
    fail = "os.mkdir('tried'); raise SystemExit(1)"
    program = f"import os\nif not os.path.exists('tried'): {fail}"
    supervisor = Supervisor([job(tmp_path, "j", program)], tmp_path / "logs", guard, recorder.tell, HASTE)
    await asyncio.wait_for(supervisor.run(), PATIENCE_S)
    assert recorder.states(State.DIED, State.DONE) == [("j", State.DIED), ("j", State.DONE)]


async def test_a_part_that_is_not_ready_in_time_counts_as_dead(
    tmp_path: Path, guard: Guard, recorder: Recorder
) -> None:
    never = Part(
        name="slow",
        command=(sys.executable, "-c", "import time; time.sleep(600)"),
        folder=tmp_path,
        address="",
        ready=lambda: False,
        start_timeout_s=0.2,
    )
    supervisor = Supervisor([never], tmp_path / "logs", guard, recorder.tell, HASTE)
    with pytest.raises(GaveUp, match=r"slow was not ready after 0\.2 s"):
        await asyncio.wait_for(supervisor.run(), PATIENCE_S)


async def test_children_that_a_part_leaves_behind_are_stopped_too(
    tmp_path: Path, guard: Guard, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LEFTOVERS_S", 0.1)
    supervisor = Supervisor([server(tmp_path, "p", PARENT)], tmp_path / "logs", guard, recorder.tell, HASTE)
    async with supervised(supervisor):
        await recorder.until(lambda: recorder.states(State.READY))
        group = supervisor.pid("p")
        assert group is not None
        assert len(process.members(group)) == 2
    assert process.members(group) == []


async def test_kill_does_not_wait_for_a_part_that_does_not_listen(
    tmp_path: Path, guard: Guard, recorder: Recorder
) -> None:
    deaf = server(tmp_path, "deaf", DEAF)
    supervisor = Supervisor([deaf], tmp_path / "logs", guard, recorder.tell, HASTE)
    async with supervised(supervisor) as task:
        await recorder.until(lambda: recorder.states(State.READY))
        pid = supervisor.pid("deaf")
        assert pid is not None
        task.cancel()
        await recorder.until(lambda: recorder.states(State.STOPPING))
        supervisor.kill()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert process.members(pid) == []


@pytest.mark.parametrize(("failures", "pause_s"), [(1, 1.0), (2, 2.0), (4, 8.0), (9, 30.0)])
def test_pauses_double_up_to_the_longest(failures: int, pause_s: float) -> None:
    assert Patience().pause_s(failures) == pause_s
