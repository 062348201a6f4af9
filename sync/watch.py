"""The loop: a pass whenever something woke it, and at least every `poll_s`."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sync.errors import Unavailable
from sync.metrics import Metrics
from sync.observation import wanted_refusals
from sync.reconcile import Reconciler, Report

log = logging.getLogger(__name__)

LEAST_PAUSE_PER_PASS = 1.0
"""A pass that takes long is followed by a pause as long: sync never keeps a slow registry busy for more than
half of the time."""


class Bell:
    """Wakes the loop, and ends it."""

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._stopped = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether the process is to end."""
        return self._stopped.is_set()

    def ring(self) -> None:
        """Wake the loop for a pass now."""
        self._rung.set()

    def stop(self) -> None:
        """End the loop after the pass that runs."""
        self._stopped.set()
        self._rung.set()

    def wait(self, seconds: float) -> None:
        """Wait until rung, for at most `seconds`."""
        self._rung.wait(seconds)
        self._rung.clear()

    def rung(self, seconds: float) -> bool:
        """Whether someone rings within `seconds`; the loop's next wait ends at once all the same."""
        return self._rung.wait(seconds)

    def pause(self, seconds: float) -> bool:
        """Wait for work in a thread; whether the process is to end."""
        return self._stopped.wait(seconds)


@dataclass(slots=True)
class Watch:
    """Runs passes; `last` is what the newest saw; `last_success` when the registry last answered."""

    reconciler: Reconciler
    bell: Bell
    metrics: Metrics
    poll_s: float
    before_pass: Callable[[], None] = lambda: None
    after_pass: Callable[[Report], None] = lambda _report: None
    last: Report | None = None
    last_success: float | None = None
    _said: tuple[str, ...] = field(default=())

    def run(self, *, once: bool = False) -> None:
        """Run passes until stopped, or, with `once`, until nothing is left to do or the registry fails."""
        while not self.bell.stopped:
            started = time.monotonic()
            report = self.step()
            if once and (report is None or not report.seen.fresh or report.idle):
                return
            took = time.monotonic() - started
            self.bell.wait(max(self.poll_s - took, took * LEAST_PAUSE_PER_PASS))

    def look_again(self) -> None:
        """Something has changed, or someone says so: a pass now, with a look at everything."""
        self.reconciler.registry.refresh()
        self.bell.ring()

    def step(self) -> Report | None:
        """One pass; None when it could not be finished."""
        try:
            self.before_pass()
            report = self.reconciler.run_pass()
        except Unavailable as error:
            self.metrics.fail()
            self._say((str(error),))
            return None
        except Exception as error:
            # Whatever it is, what is served must go on being looked after.
            self.metrics.fail()
            log.exception("a pass failed in a way nobody thought of")
            self._say((f"a pass failed: {error}",))
            return None
        refusals = wanted_refusals(self.reconciler.work.quarantine.refusals, report.seen.desired)
        self.metrics.observe(report, self.reconciler.feed.last, len(refusals))
        self._say(report.seen.problems)
        self.last = report
        if report.seen.fresh:
            self.last_success = report.seen.now
        self.after_pass(report)
        return report

    def _say(self, problems: tuple[str, ...]) -> None:
        """Log what is wrong, when it begins and when it is over."""
        for problem in problems:
            if problem not in self._said:
                log.warning("%s", problem)
        for problem in self._said:
            if problem not in problems:
                log.info("no longer: %s", problem)
        self._said = problems
