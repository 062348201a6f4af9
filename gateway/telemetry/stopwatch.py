"""Where one request's time goes, and what is noted of it on its way."""

import time


class Stopwatch:
    """Time per stage of one request; whoever carries the request says which stage it enters.

    For metrics, log and traces, who knows notes: model and version ("" = none), cache (as `X-Cache` has it),
    outcome (`ok`, or the class of the error), received (bytes of the body, as sent), traceparent ("" = none).
    """

    __slots__ = (
        "_since", "_spent", "_started", "cache", "model", "outcome", "received", "stage",
        "traceparent", "version",
    )  # fmt: skip

    def __init__(self) -> None:
        self._started = self._since = time.perf_counter()
        self._spent: dict[str, float] = {}
        self.stage = "read"
        self.model = self.version = self.cache = self.traceparent = ""
        self.outcome = "ok"
        self.received = 0

    def enter(self, stage: str) -> None:
        """The stage before ends here and `stage` begins."""
        now = time.perf_counter()
        self._spent[self.stage] = self._spent.get(self.stage, 0.0) + now - self._since
        self._since = now
        self.stage = stage

    @property
    def elapsed_ms(self) -> float:
        """Since the request began."""
        return (time.perf_counter() - self._started) * 1e3

    def stages_ms(self) -> dict[str, float]:
        """Every stage so far, in the order first entered, the present one included."""
        self.enter(self.stage)
        return {stage: spent * 1e3 for stage, spent in self._spent.items()}
