"""Whether this gateway can answer for its default model, what is missing when it cannot, and who is away."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable

from contract.catalog import Catalog
from gateway.versions.routing import Route, default_name, route

RETRY_S = 0.25
RECHECK_S = 1.0
GAP_S = 0.05
"""Between two checks, however much news there is."""

VersionReady = Callable[[str, int], Awaitable[bool | None]]
"""Whether a version of a model is ready; None = nobody says."""


class Readiness:
    """Watches the versions that answer for the default model, and those of any model that were found away.

    `missing` names what is not there; empty = ready. Asking costs nothing, so that probes are answered at
    once under any load.

    Args:
        reachable: whether calls to a version are being tried at all.
    """

    def __init__(
        self,
        current: Callable[[], Catalog | None],
        version_ready: VersionReady,
        default: str | None,
        *,
        reachable: Callable[[str, int], bool] = lambda *_: True,
    ) -> None:
        self._current = current
        self._version_ready = version_ready
        self._default = default
        self._reachable = reachable
        self._away: set[tuple[str, int]] = set()
        self.missing: tuple[str, ...] = ("the first check has not been made yet",)
        self.draining = False
        self.started = asyncio.Event()
        """Set once it has been ready, and from then on."""
        self._news = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether new traffic should come here."""
        return not self.missing and not self.draining

    def available(self, model: str, version: int) -> bool:
        """Whether a version can answer, as far as is known."""
        return (model, version) not in self._away and self._reachable(model, version)

    def away(self, model: str, version: int) -> None:
        """A version just could not answer: it counts as away until it says that it is ready."""
        self._away.add((model, version))
        self._news.set()

    async def watch(self) -> None:
        """Check for ever."""
        while True:
            self._news.clear()
            await self.check()
            await asyncio.sleep(GAP_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S if self.missing or self._away else RECHECK_S):
                    await self._news.wait()

    def look_now(self) -> None:
        """Something changed: do not wait for the next check."""
        self._news.set()

    async def check(self) -> None:
        """Look once."""
        self.missing = await self._what_is_missing()
        if not self.missing:
            self.started.set()

    async def _what_is_missing(self) -> tuple[str, ...]:
        catalog = self._current()
        if catalog is None:
            return ("the catalogue: none in Redis yet, and no snapshot of an earlier one",)
        name = default_name(catalog, self._default)
        model = catalog.models.get(name) if name else None
        traffic = route(model, time.time()) if model else None
        ready = await self._ask(catalog, _takers(traffic) if traffic else ())
        if name is None:
            if not catalog.models:
                return ("a model: none is served yet",)
            served = ", ".join(sorted(catalog.models))
            return (f"a default model: set FIXGATE_DEFAULT_MODEL to one of {served}",)
        if traffic is None:
            return (f'model "{name}": the catalogue does not have it yet',)
        if not traffic.shares:
            return (f'model "{name}": no version has the alias "champion" or a weight',)
        stand_ins = [one.version.version for one in traffic.stand_ins]
        return tuple(
            f'model "{name}" version {number}: not ready in Triton'
            for number in sorted(traffic.shares)
            if not any((name, one) in ready for one in (number, *stand_ins))
        )

    async def _ask(self, catalog: Catalog, takers: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
        """Which of these and of those away are ready. A version that nobody speaks of stays what it was."""
        self._away = {
            (name, number)
            for name, number in self._away
            if name in catalog.models and catalog.models[name].version(number)
        }
        asked = sorted({*takers, *self._away})
        answers = await asyncio.gather(*(self._version_ready(*one) for one in asked))
        told = dict(zip(asked, answers, strict=True))
        ready = {one for one, answer in told.items() if answer}
        self._away |= {one for one, answer in told.items() if answer is False}
        self._away -= ready
        return ready


def _takers(traffic: Route) -> set[tuple[str, int]]:
    """Who answers what is not pinned, and for whom."""
    numbers = {*traffic.shares, *(one.version.version for one in traffic.stand_ins)}
    return {(traffic.model.name, number) for number in numbers}
