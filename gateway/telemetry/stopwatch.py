"""Where one request's time goes, and what is noted of it on its way."""

import time
from itertools import pairwise


class Stopwatch:
    """Time per stage of one request; whoever carries the request says which stage it enters.

    For metrics, log and traces, who knows notes: route (its pattern, "" = none took it), model and version
    ("" = none), cache (as `X-Cache` has it), outcome (`ok`, or the class of the error), received (bytes of
    the body, as sent), traceparent ("" = none), told (the stages' milliseconds as the client was told them,
    None = it was not).
    """

    __slots__ = (
        "_marks", "_started", "cache", "model", "outcome", "received", "route", "told", "traceparent",
        "version",
    )  # fmt: skip

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._marks = [("read", self._started)]
        self.route = self.model = self.version = self.cache = self.traceparent = ""
        self.outcome = "ok"
        self.received = 0
        self.told: dict[str, float] | None = None

    def enter(self, stage: str) -> None:
        """The stage before ends here and `stage` begins."""
        self._marks.append((stage, time.perf_counter()))

    @property
    def stage(self) -> str:
        """The present one."""
        return self._marks[-1][0]

    @property
    def elapsed_ms(self) -> float:
        """Since the request began."""
        return (time.perf_counter() - self._started) * 1e3

    def stages_ms(self) -> dict[str, float]:
        """Every stage so far, in the order first entered, the present one included."""
        spent: dict[str, float] = {}
        for (stage, began), (_, ended) in pairwise([*self._marks, ("", time.perf_counter())]):
            ms = (ended - began) * 1e3
            spent[stage] = spent[stage] + ms if stage in spent else ms
        return spent
