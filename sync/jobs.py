"""Work that takes longer than a pass: run in threads, so that an alias move never waits for a download."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sync.plan import Key

WORKERS = 4


@dataclass(frozen=True, slots=True)
class Finished:
    """A job's end: its result, or the error it ended with."""

    key: Key
    result: Any = None
    error: BaseException | None = None


class Jobs:
    """At most one job per version, and one publication per model. `wake` is called when one ends."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="job")
        self._running: dict[Key, Future[Any]] = {}
        self._publishing: set[Key] = set()
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
        self._running[key] = future = self._pool.submit(work)
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
        """Start no more, and wait for those that run."""
        self._pool.shutdown(wait=True, cancel_futures=True)
