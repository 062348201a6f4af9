"""One Triton: its connection, the calls under way there, its breakers, and the memory shared with it.

A call is never cancelled at Triton. A client's cancellation, or a deadline of gRPC's, begins a race there in
which servers up to at least 25.03 die of a segmentation fault (triton-inference-server/server issues 7368 and
8034; a 24.10 did within a minute of clients that gave up). So a call that nobody waits for any longer runs to
its end at Triton, the region of shared memory with its rows stays with it, and such calls are limited.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any, Literal, NamedTuple

from gateway.domain import Float, Lane, RawOutputs
from gateway.errors import BadAnswer, Unavailable
from gateway.triton.breaker import Breaker, Breakers
from gateway.triton.call import (
    Carrier,
    Failure,
    NotReached,
    Tensor,
    named,
    no_row,
    ours,
    raw_outputs,
    row_bytes,
)
from gateway.triton.over_grpc import Channel
from gateway.triton.over_http import Http
from gateway.triton.shared_regions import Region, Regions

log = logging.getLogger(__name__)

SharedMemory = Literal["auto", "on", "off"]

GIVEN_UP_S = 1.0
"""A call that nobody waited for any longer after this time counts as a failure of the version. Less than
`admission.PATIENCE_S`, before which none is given up."""

LINGERING = 8
"""Calls to one version that nobody waits for, at most: more than that, and it does not keep up."""

MOST_BY_HTTP = 512 << 10
"""Bytes of a call. Triton reads HTTP in small pieces, so that with many rows gRPC is the faster one there."""

LINGER_S = 60.0
CLOSE_S = 1.0
SHARE_AGAIN_S = 5.0

_Version = tuple[str, int]


class _RegionUnknown(Exception):
    """Triton does not know the region that holds the rows: nothing was run."""


class Status(NamedTuple):
    """One endpoint as the gateway sees it."""

    address: str
    connected: bool
    shared_memory: bool
    in_flight: int
    lingering: int
    breakers: tuple[Breaker, ...]


class Endpoint:
    """One Triton: its gRPC channel and, if known, its HTTP listener for the calls. Made in the event loop."""

    def __init__(self, address: str, http: str = "", shared_memory: SharedMemory = "off") -> None:
        self.address = address
        self.channel = Channel(address)
        self._http = Http(http) if http else None
        self._breakers = Breakers()
        self._failing: dict[_Version, Lane] = {}
        self._lingering: Counter[_Version] = Counter()
        self._calls: set[asyncio.Task[RawOutputs]] = set()
        self._connected = False
        self._share_anew = asyncio.Event()
        self._regions: Regions | None = None
        self._watching = [asyncio.create_task(self._watch(), name=f"connection to {address}")]
        if shared_memory != "off":
            self._regions = Regions(self.channel, address, insist=shared_memory == "on")
            sharing = self._share(self._regions)
            self._watching.append(asyncio.create_task(sharing, name=f"memory shared with {address}"))

    async def infer(self, lane: Lane, rows: Sequence[Float]) -> RawOutputs:
        """One call. Cancelled, it goes on at Triton; what becomes of it goes to the version's breaker.

        Raises:
            NotReached: it may be tried elsewhere.
            Unavailable, DeadlineExceeded, BadAnswer: as for `Triton.infer`.
        """
        if self._regions is not None and (region := self._regions.take(len(rows) * row_bytes(lane))):
            try:
                return await self._waited_for(lane, self._in_region(lane, rows, region))
            except _RegionUnknown:
                log.info(
                    "Triton at %s does not know %s: rows go in bodies for now", self.address, region.name
                )
        return await self._waited_for(lane, self._with_rows(lane, rows))

    def takes(self, model: str, version: int) -> bool:
        """Whether calls to a version may go here.

        If not because it failed: after a while this makes a call with one row of zeros, in the background,
        whose answer lets them again. No request of a client's is risked for that. Calls that still linger
        keep it from that only when they are many: some may never be answered, as when a backend's child dies.
        """
        key = (model, version)
        crowded = self._lingering.get(key, 0) >= LINGERING
        if self._breakers.closed(*key):
            return not crowded
        if not crowded and self._breakers.probe_due(*key):
            lane = self._failing[key]
            self._let_linger(lane, self._start(self._with_rows(lane, [no_row(lane)])))
        return False

    @property
    def distance(self) -> tuple[int, int]:
        """Least first: how far from a connection, then how busy."""
        return self.channel.distance, len(self._calls)

    def status(self) -> Status:
        """How it stands."""
        return Status(
            address=self.address,
            connected=self._connected,
            shared_memory=self._regions is not None and self._regions.usable,
            in_flight=len(self._calls),
            lingering=self._lingering.total(),
            breakers=self._breakers.states(),
        )

    async def close(self) -> None:
        """Close the channel; calls under way have a moment to end."""
        for task in self._watching:
            task.cancel()
        if self._calls:
            await asyncio.wait(self._calls, timeout=CLOSE_S)
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._watching, *self._calls, return_exceptions=True)
        if self._regions is not None:
            await self._regions.close()
        if self._http is not None:
            self._http.close()
        await self.channel.close()

    async def _waited_for(self, lane: Lane, call: Coroutine[Any, Any, RawOutputs]) -> RawOutputs:
        task, began = self._start(call), asyncio.get_running_loop().time()
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and not _cancelled():
                raise Unavailable("the gateway is ending") from None
            if not task.done():
                self._let_linger(lane, task)
                if asyncio.get_running_loop().time() - began >= GIVEN_UP_S:
                    self._failed(lane, "no answer")
            raise

    def _start(self, call: Coroutine[Any, Any, RawOutputs]) -> asyncio.Task[RawOutputs]:
        task = asyncio.create_task(call)
        self._calls.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[RawOutputs]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # heard of, though perhaps nobody waits for it

    def _let_linger(self, lane: Lane, task: asyncio.Task[RawOutputs]) -> None:
        key = (lane.model, lane.version)
        self._lingering[key] += 1
        timer = asyncio.get_running_loop().call_later(LINGER_S, task.cancel)

        def over(_: asyncio.Task[RawOutputs]) -> None:
            timer.cancel()
            self._lingering[key] -= 1
            if not self._lingering[key]:
                del self._lingering[key]

        task.add_done_callback(over)

    async def _in_region(self, lane: Lane, rows: Sequence[Float], region: Region) -> RawOutputs:
        """A call whose rows are in shared memory. The region is settled here, whoever still waits."""
        assert self._regions is not None  # noqa: S101 the region is from there
        try:
            region.write(rows, lane.shape)
            call = self._carrier().in_region(lane, len(rows), region.name)
            found = await self._call(lane, len(rows), call, region.name)
        except _RegionUnknown:
            if self._regions.lost(region):
                self._share_anew.set()
            raise
        except (asyncio.CancelledError, NotReached):
            self._regions.withdraw(region)
            raise
        except BaseException:
            self._regions.give_back(region)
            raise
        self._regions.give_back(region)
        return found

    async def _with_rows(self, lane: Lane, rows: Sequence[Float]) -> RawOutputs:
        carrier = self._carrier(len(rows) * row_bytes(lane))
        return await self._call(lane, len(rows), carrier.with_rows(lane, rows))

    def _carrier(self, size: int = 0) -> Carrier:
        if self._http is not None and self._http.usable and size <= MOST_BY_HTTP:
            return self._http
        return self.channel

    async def _call(
        self, lane: Lane, rows: int, call: Coroutine[Any, Any, Sequence[Tensor]], region: str | None = None
    ) -> RawOutputs:
        """One call to its end."""
        try:
            found = raw_outputs(lane, await call, rows)
        except Failure as failure:
            if region is not None and region in failure.words:
                raise _RegionUnknown from failure
            if failure.code != "INVALID_ARGUMENT":
                self._failed(lane, failure.code)
            # Triton's own words go to the log only: they may name its paths.
            log.warning("%s at %s: %s", named(lane), self.address, failure)
            raise ours(failure.code, lane) from failure
        except (BadAnswer, asyncio.CancelledError):
            self._failed(lane, "no proper answer")
            raise
        if self._failing:
            self._succeeded(lane)
        return found

    def _failed(self, lane: Lane, why: str) -> None:
        self._failing[lane.model, lane.version] = lane
        if self._breakers.failed(lane.model, lane.version):
            log.warning("%s at %s is left alone for now: %s", named(lane), self.address, why)

    def _succeeded(self, lane: Lane) -> None:
        if self._failing.pop((lane.model, lane.version), None) is not None:
            if not self._breakers.closed(lane.model, lane.version):
                log.warning("%s at %s answers again", named(lane), self.address)
            self._breakers.succeeded(lane.model, lane.version)

    async def _watch(self) -> None:
        """Follow the connection; without this, gRPC would connect only when there is a call."""
        while True:
            self._connected = await self.channel.turned(self._connected)
            self._turned()

    def _turned(self) -> None:
        """Connected or no longer: either way it may be another process than before."""
        log.info("Triton at %s is %s", self.address, "connected" if self._connected else "away")
        if self._connected:
            self._breakers.reset()
            self._failing.clear()
        elif self._http is not None:
            self._http.close()  # what waits there would wait for ever if the other end went without a word
        if self._regions is not None:
            self._regions.end()
            self._regions.forgive()
            self._share_anew.set()

    async def _share(self, regions: Regions) -> None:
        """Share memory whenever there is a new connection, or what was shared is not known any more."""
        while True:
            await self._share_anew.wait()
            self._share_anew.clear()
            if self._connected and not await regions.begin():
                asyncio.get_running_loop().call_later(SHARE_AGAIN_S, self._share_anew.set)


def _cancelled() -> bool:
    """Whether it is the caller that was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
