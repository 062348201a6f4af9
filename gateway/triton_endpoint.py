"""One Triton: its connection, the calls under way there, its breakers, and the memory shared with it.

A call is never cancelled at Triton. A client's cancellation, or a deadline of gRPC's, begins a race there in
which servers up to 25.03 die of a segmentation fault (triton-inference-server/server issues 7368 and 8034; a
24.10 did within a minute of clients that gave up). So a call that nobody waits for any longer runs to its end
at Triton, the region of shared memory with its rows stays with it, and such calls are limited.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any, Literal, NamedTuple

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from gateway.breaker import Breaker, Breakers
from gateway.domain import Float, Lane, RawOutputs
from gateway.errors import BadAnswer, DeadlineExceeded, FixgateError, Unavailable
from gateway.shared_regions import Away, Refused, Region, Regions
from gateway.triton_messages import in_region, named, no_row, outputs, row_bytes, with_body

log = logging.getLogger(__name__)

SharedMemory = Literal["auto", "on", "off"]

_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # gRPC would wait up to two minutes before it tries a restarted Triton again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A connection whose other end is gone without a word is noticed, and what waits there fails.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)
_MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"

GIVEN_UP_S = 1.0
"""A call that nobody waited for any longer after this time counts as a failure of the version."""

LINGERING = 8
"""Calls to one version that nobody waits for, at most: more than that, and it does not keep up."""

LINGER_S = 60.0
CLOSE_S = 1.0
ASK_S = 5.0
SHARE_AGAIN_S = 5.0

KEEPS_WHAT_IS_READ = (2, 50)
"""Triton 24.09. One before it unmaps a region under the very call that reads it, and dies."""

_DISTANCE = {grpc.ChannelConnectivity.READY: 0, grpc.ChannelConnectivity.TRANSIENT_FAILURE: 2}

_Version = tuple[str, int]


class NotReached(Exception):
    """Triton was not reached, or lost before it answered, or says that it cannot take the call."""


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
    """One Triton and its one long-lived channel. Made inside the running event loop."""

    def __init__(self, address: str, shared_memory: SharedMemory = "off") -> None:
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self.stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._model_infer = self._channel.unary_unary(_MODEL_INFER)
        self._breakers = Breakers()
        self._failing: dict[_Version, Lane] = {}
        self._lingering: Counter[_Version] = Counter()
        self._calls: set[asyncio.Task[RawOutputs]] = set()
        self._connected = False
        self._share_anew = asyncio.Event()
        self._regions: Regions | None = None
        self._watching = [asyncio.create_task(self._watch(), name=f"connection to {address}")]
        if shared_memory != "off":
            self._regions = Regions(_Registry(self.stub), address, insist=shared_memory == "on")
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
        return await self._waited_for(lane, self._call(lane, len(rows), with_body(lane, rows)))

    def takes(self, model: str, version: int) -> bool:
        """Whether calls to a version may go here.

        If not because it failed: after a while this makes a call with one row of zeros, in the background,
        whose answer lets them again. No request of a client's is risked for that.
        """
        key = (model, version)
        if self._breakers.closed(*key):
            return self._lingering[key] < LINGERING
        if not self._lingering[key] and self._breakers.probe_due(*key):
            lane = self._failing[key]
            self._let_linger(lane, self._start(self._call(lane, 1, with_body(lane, [no_row(lane)]))))
        return False

    @property
    def distance(self) -> tuple[int, int]:
        """Least first: how far from a connection, then how busy."""
        return _DISTANCE.get(self._channel.get_state(), 1), len(self._calls)

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
        await self._channel.close()

    async def _waited_for(self, lane: Lane, call: Coroutine[Any, Any, RawOutputs]) -> RawOutputs:
        task, began = self._start(call), asyncio.get_running_loop().time()
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
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
            found = await self._call(lane, len(rows), in_region(lane, len(rows), region.name), region.name)
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

    async def _call(self, lane: Lane, rows: int, message: bytes, region: str | None = None) -> RawOutputs:
        """One call to its end."""
        try:
            answer = await self._model_infer(message)
            found = outputs(lane, answer, rows)
        except grpc.aio.AioRpcError as error:
            if region is not None and region in (error.details() or ""):
                raise _RegionUnknown from error
            if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                self._failed(lane, error.code().name)
            # Triton's own words go to the log only: they may name its paths.
            log.warning("%s at %s: %s %s", named(lane), self.address, error.code().name, error.details())
            raise _ours(error.code(), lane) from error
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
            state = self._channel.get_state(try_to_connect=True)
            if (state is grpc.ChannelConnectivity.READY) is not self._connected:
                self._connected = not self._connected
                self._turned()
            await self._channel.wait_for_state_change(state)

    def _turned(self) -> None:
        """Connected or no longer: either way it may be another process than before."""
        log.info("Triton at %s is %s", self.address, "connected" if self._connected else "away")
        if self._connected:
            self._breakers.reset()
            self._failing.clear()
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


class _Registry:
    """What one Triton knows of shared memory."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def supported(self) -> bool:
        metadata = await self._ask("ServerMetadata", service_pb2.ServerMetadataRequest())
        version = tuple(int(part) for part in metadata.version.split(".")[:2] if part.isdecimal())
        return "system_shared_memory" in metadata.extensions and version >= KEEPS_WHAT_IS_READ

    async def register(self, name: str, size: int) -> None:
        request = service_pb2.SystemSharedMemoryRegisterRequest(name=name, key=f"/{name}", byte_size=size)
        await self._ask("SystemSharedMemoryRegister", request)

    async def unregister(self, name: str) -> None:
        request = service_pb2.SystemSharedMemoryUnregisterRequest(name=name)
        await self._ask("SystemSharedMemoryUnregister", request)

    async def registered(self) -> set[str]:
        request = service_pb2.SystemSharedMemoryStatusRequest()
        return set((await self._ask("SystemSharedMemoryStatus", request)).regions)

    async def _ask(self, method: str, request: Any) -> Any:
        try:
            return await getattr(self._stub, method)(request, timeout=ASK_S)
        except grpc.aio.AioRpcError as error:
            away = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            raise (Away if away else Refused)(error.details()) from error


def _ours(code: grpc.StatusCode, lane: Lane) -> FixgateError | NotReached:
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            return NotReached()
        case grpc.StatusCode.NOT_FOUND:
            return Unavailable(f"{named(lane)} is not ready in Triton", version_away=True)
        case grpc.StatusCode.RESOURCE_EXHAUSTED | grpc.StatusCode.CANCELLED | grpc.StatusCode.ABORTED:
            return Unavailable(f"Triton did not take the call for {named(lane)}")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(f"Triton ran out of time for {named(lane)}")
        case grpc.StatusCode.INVALID_ARGUMENT:
            return BadAnswer(f"Triton refused the input of {named(lane)}")
        case _:
            return BadAnswer(f"Triton failed to run {named(lane)}")
