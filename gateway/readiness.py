"""Whether this gateway can answer for its default model, and what is missing when it cannot."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from contract.catalog import Catalog
from gateway.routing import default_name, shares

RETRY_S = 0.25
RECHECK_S = 1.0

VersionReady = Callable[[str, int], Awaitable[bool]]


class Readiness:
    """Watches the routed versions of the default model, by version readiness.

    `missing` names what is not there; empty = ready. Asking costs nothing, so that probes are answered at
    once under any load.
    """

    def __init__(
        self, current: Callable[[], Catalog | None], version_ready: VersionReady, default: str | None
    ) -> None:
        self._current = current
        self._version_ready = version_ready
        self._default = default
        self.missing: tuple[str, ...] = ("the first check has not been made yet",)
        self.draining = False
        self.started = False
        self._news = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether new traffic should come here."""
        return not self.missing and not self.draining

    async def watch(self) -> None:
        """Check for ever."""
        while True:
            self._news.clear()
            await self.check()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S if self.missing else RECHECK_S):
                    await self._news.wait()

    def look_now(self) -> None:
        """Something changed: do not wait for the next check."""
        self._news.set()

    async def check(self) -> None:
        """Look once."""
        self.missing = await self._what_is_missing()
        self.started = self.started or not self.missing

    async def _what_is_missing(self) -> tuple[str, ...]:
        catalog = self._current()
        if catalog is None:
            return ("the catalogue: none in Redis yet, and no snapshot of an earlier one",)
        name = default_name(catalog, self._default)
        if name is None:
            return ("a default model: none is configured and the catalogue names none",)
        if (model := catalog.models.get(name)) is None:
            return (f'model "{name}": the catalogue does not have it yet',)
        numbers = sorted(shares(model, time.time()))
        if not numbers:
            return (f'model "{name}": no version has the alias "champion" or a weight',)
        ready = await asyncio.gather(*(self._version_ready(name, number) for number in numbers))
        return tuple(
            f'model "{name}" version {number}: not ready in Triton'
            for number, is_ready in zip(numbers, ready, strict=True)
            if not is_ready
        )
