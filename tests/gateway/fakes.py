"""A backend without Triton: echoes rows as answers, counts calls, fails or holds when told to."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np

from contract.catalog import ServedModel
from gateway.admission import Admission
from gateway.cache.fixes import FixCache
from gateway.cache.memory import MemoryCache
from gateway.domain import Float, Lane, Options, PredictRequest, RawOutputs, Recording
from gateway.errors import Unavailable
from gateway.in_flight import InFlight
from gateway.locate import Locator
from gateway.pipeline import Pipeline
from gateway.threads import Threads
from tests.gateway import stand
from tests.gateway.cache.test_fixes import Shared

ECHO = stand.echo_model("echo")


class Backend:
    """Row i's answer is row i itself: latitude, longitude, σ north, σ east, ρ."""

    def __init__(self) -> None:
        self.calls: list[tuple[Lane, int]] = []
        self.error: Exception | None = None
        self.away: set[int] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    async def infer(self, lane: Lane, rows: Sequence[Float]) -> RawOutputs:
        self.calls.append((lane, len(rows)))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if lane.version in self.away:
            raise Unavailable(f"version {lane.version} is not ready", version_away=True)
        stacked = np.stack(rows)
        return RawOutputs(stacked[:, :2], stacked[:, 2:])


class Stand:
    """A locator on fakes, and pipelines for it."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.backend = Backend()
        self.shared = Shared()
        self.threads = threads
        self.locator = self.another_process()

    def another_process(self) -> Locator:
        """A locator with a memory of its own, on the same backend and shared cache."""
        cache = FixCache(MemoryCache(1 << 20, 60), self.shared)
        return Locator(
            backend=self.backend,
            cache=cache,
            threads=Threads(self.threads, 2),
            admission=Admission(objective_s=60.0, calls_in_flight=1),
            in_flight=InFlight(1),
        )


def pipeline(model: str = "echo", **changes: object) -> Pipeline:
    """The echo model's pipeline."""
    return Pipeline(model, msgspec.structs.replace(ECHO.served(), **changes))


def served(**changes: object) -> ServedModel:
    """The echo model with its champion."""
    return stand.served_model(msgspec.structs.replace(ECHO.served(), **changes), name="echo")


def row(latitude: float = 45.0, **changes: float) -> Float:
    """An input that the echo model answers with this fix."""
    values = {"longitude": 9.0, "north": 100.0, "east": 200.0, "rho": 0.5} | changes
    return np.array([latitude, *values.values()], np.float32)


def asked(recording: Float, **options: object) -> PredictRequest:
    """A request for one fix."""
    given = Options(**options)  # type: ignore[arg-type]
    return PredictRequest(Recording(features=recording), given)
