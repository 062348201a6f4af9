"""How often one caller may call."""

from collections import OrderedDict
from collections.abc import Callable

from pyrate_limiter import GCRA, Duration, Rate

CALLERS = 65_536
"""How many callers are remembered: those that called last."""


class RateLimit:
    """A token bucket for each caller, in this process: one at rest may send as many at once as its rate says.

    `rate` is as Config has it, e.g. `100/second`; `clock` gives seconds and never goes back.
    """

    def __init__(self, rate: str, clock: Callable[[], float]) -> None:
        count, _, unit = rate.partition("/")
        self.rate = rate
        self._rates = [Rate(int(count), Duration[unit.upper()])]
        self._clock = clock
        self._states: OrderedDict[str, tuple[float, ...]] = OrderedDict()
        self._bucket = GCRA()

    def wait_s(self, caller: str) -> float:
        """0 = goes ahead, and is counted; otherwise how long to wait."""
        state = self._states.pop(caller, None) or self._bucket.initial(self._rates)
        state, decision = self._bucket.step(self._rates, state, int(self._clock() * 1e3), 1)
        self._states[caller] = state
        if len(self._states) > CALLERS:
            self._states.popitem(last=False)
        return (decision.retry_after_ms or 0) / 1e3
