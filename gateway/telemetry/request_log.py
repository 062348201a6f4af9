"""One line for each request, never its contents; as many as the options allow.

What fails is logged beside what succeeds, so that neither hides the other; what is left out is counted in the
next line.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from gateway.telemetry.stopwatch import Stopwatch

log = logging.getLogger("gateway.request")

QUIET = frozenset({"/health", "/ready", "/startup", "/metrics"})
"""Probes and scrapes are logged only when they fail."""


class RequestLog:
    """At most `per_s` lines each second for requests that were answered, and as many for failed ones."""

    def __init__(self, per_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._clock = clock
        self._second = 0
        self._left = [per_s, per_s]
        self._left_out = 0

    def answered(
        self,
        request_id: str,
        method: str,
        route: str,
        status: int,
        *,
        seconds: float,
        watch: Stopwatch,
        sent: int,
    ) -> None:
        """One request ended. `sent`: bytes of the answer's body."""
        if not self._per_s or (status < 400 and route in QUIET):
            return
        failed = status >= 400
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._left = [self._per_s, self._per_s]
        if not self._left[failed]:
            self._left_out += 1
            return
        self._left[failed] -= 1
        level = logging.WARNING if status >= 500 and status != 503 else logging.INFO
        if log.isEnabledFor(level):
            fields = self._fields(request_id, seconds, watch, sent)
            log.log(level, "%s %s %d", method, route, status, extra={"fields": fields})

    def _fields(self, request_id: str, seconds: float, watch: Stopwatch, sent: int) -> dict[str, Any]:
        noted = {"model": watch.model, "version": watch.version, "cache": watch.cache}
        fields: dict[str, Any] = {
            "request_id": request_id,
            **{name: value for name, value in noted.items() if value},
            "outcome": watch.outcome,
            "duration_ms": round(seconds * 1e3, 3),
            "stages_ms": {stage: round(ms, 3) for stage, ms in watch.stages_ms().items()},
            "received_bytes": watch.received,
            "sent_bytes": sent,
        }
        if self._left_out:
            fields["left_out"], self._left_out = self._left_out, 0
        return fields
