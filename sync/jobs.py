"""Work that takes longer than a pass: run in threads, so that an alias move never waits for a download."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, TypeVar

from sync.errors import Unavailable
from sync.plan import Key

WORKERS = 4
LOOK_EVERY_S = 0.1

T = TypeVar("T")

_NEVER = threading.Event()
_ending: ContextVar[threading.Event] = ContextVar("ending", default=_NEVER)


def ending() -> threading.Event:
    """Set once the job that this thread works on has to end; outside of jobs it never is."""
    return _ending.get()


def check() -> None:
    """See that the job may go on.

    Raises:
        Unavailable: it has to end.
    """
    if ending().is_set():
        raise Unavailable("given up, for sync is stopping")


def apart(work: Callable[[], T]) -> T:
    """Do what cannot be told to end in a thread that is left behind when the job has to.

    Raises:
        Unavailable: the job has to end.
        Whatever `work` does.
    """
    outcome: Future[T] = Future()
    run = copy_context().run
    threading.Thread(target=run, args=(carry_out, work, outcome), daemon=True).start()
    while not wait((outcome,), timeout=LOOK_EVERY_S).done:
        check()
    return outcome.result()


def carry_out(work: Callable[[], T], outcome: Future[T]) -> None:
    """Do it now; what it gives or raises is the outcome."""
    try:
        outcome.set_result(work())
    except BaseException as error:  # noqa: BLE001 - raised where the outcome is asked for
        outcome.set_exception(error)


@dataclass(frozen=True, slots=True)
class Finished:
    """A job's end: its result, or the error it ended with."""

    key: Key
    result: Any = None
    error: BaseException | None = None


class Jobs:
    """At most one job per version, and one publication per model. `wake` is called when one ends."""

    def __init__(self, wake: Callable[[], None]) -> None:
        # By whether they publish: trials wait for each other, and no publication is to wait for them.
        self._pools = {
            publishes: ThreadPoolExecutor(WORKERS, thread_name_prefix="job") for publishes in (False, True)
        }
        self._running: dict[Key, Future[Any]] = {}
        self._publishing: set[Key] = set()
        self._ending = threading.Event()
        self._wake = wake

    @property
    def busy(self) -> frozenset[Key]:
        """Versions that a job works on."""
        return frozenset(self._running)

    @property
    def publishing(self) -> frozenset[str]:
        """Models whose repository folder a job works on."""
        return frozenset(model for model, _ in self._publishing)

    def start(self, key: Key, work: Callable[[], Any], *, publishes: bool) -> None:
        """Run `work` in a thread."""
        if publishes:
            self._publishing.add(key)
        self._running[key] = future = self._pools[publishes].submit(self._run, work)
        future.add_done_callback(lambda _: self._wake())

    def collect(self) -> list[Finished]:
        """The jobs that have ended since the last call."""
        ended = [key for key, future in self._running.items() if future.done()]
        finished = []
        for key in ended:
            future = self._running.pop(key)
            self._publishing.discard(key)
            error = future.exception()
            finished.append(Finished(key, None if error else future.result(), error))
        return finished

    def close(self) -> None:
        """Begin no more, tell those that run to end, and wait for them."""
        self._ending.set()
        for pool in self._pools.values():
            pool.shutdown()

    def _run(self, work: Callable[[], Any]) -> Any:
        _ending.set(self._ending)
        check()  # what waited for a thread does not begin any more
        return work()
