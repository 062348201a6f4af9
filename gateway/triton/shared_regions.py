"""The shared memory through which one Triton is given rows: segments registered there, lent call by call.

What keeps a request from ever seeing another's bytes: a region's name is random and used once, so that Triton
can only know this very memory by it, on whatever host it runs; a region is lent to one call at a time, and
lent again only after Triton has answered that call; if an answer can no longer come, the region is withdrawn
and its memory is never written to again. "Already registered" is a refusal like any other.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence

from gateway.domain import Float
from gateway.triton.shared_memory import PREFIX, Owner, Segment, alive, owner_of, remove_dead
from gateway.triton.shared_registry import Away, Refused, Registry, prove

log = logging.getLogger(__name__)

MOST_BYTES = 64 << 20
"""Shared memory for one Triton, at most."""

LEAST_BYTES = 64 << 10
NO_ROOM_S = 60.0
RETRY_S = 1.0
CLOSE_S = 1.0
LOSSES = 3
"""Regions in a row that Triton does not know any more, before no more are tried on this connection."""


class Region:
    """A segment that Triton has mapped."""

    __slots__ = ("_segment", "name", "size")

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self.name = segment.name
        self.size = segment.size

    def write(self, rows: Sequence[Float], shape: tuple[int, ...]) -> None:
        """Copy rows to the beginning."""
        self._segment.write(rows, shape)

    def close(self) -> None:
        """Give up our side."""
        self._segment.close()


class Regions:
    """The regions of one Triton. Made inside the running event loop.

    `begin` when it has been connected, `end` when the connection is lost: a region never outlives either.
    """

    def __init__(
        self,
        registry: Registry,
        address: str,
        *,
        insist: bool = False,
        most_bytes: int = MOST_BYTES,
        own: Callable[[], Owner] = Owner,
    ) -> None:
        self._registry = registry
        self._address = address
        self._level = logging.WARNING if insist else logging.INFO
        self._most_bytes = most_bytes
        self._own = own
        self._owner: Owner | None = None
        self._free: list[Region] = []
        self._lent: set[Region] = set()
        self._withdrawn: dict[str, int] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._making: asyncio.Task[None] | None = None
        self._no_room_until = 0.0
        self._losses = 0
        self._said: str | None = None
        self.usable = False

    async def begin(self) -> bool:
        """Find out whether this Triton shares our memory; False when it did not say: ask again."""
        self.end()
        try:
            trouble = await self._trouble()
        except Away:
            return False
        self.usable = trouble is None
        self._say(trouble)
        return True

    def end(self) -> None:
        """Forget every region: there may be another process at that address next."""
        self.usable = False
        self._cancel_work()
        for region in self._free:
            region.close()
        self._free.clear()
        self._lent.clear()
        self._withdrawn.clear()

    def take(self, size: int) -> Region | None:
        """A region of at least `size` bytes that no call uses; None when there is none, but perhaps soon."""
        if not self.usable:
            return None
        fitting = [region for region in self._free if region.size >= size]
        if not fitting:
            self._want(size)
            return None
        region = min(reversed(fitting), key=lambda one: one.size)
        self._free.remove(region)
        self._lent.add(region)
        return region

    def give_back(self, region: Region) -> None:
        """The call is over: Triton has answered it, and does not read the region any more."""
        if region not in self._lent:  # of a connection that was lost meanwhile
            region.close()
            return
        self._losses = 0
        self._lent.remove(region)
        self._free.append(region)

    def withdraw(self, region: Region) -> None:
        """The call's answer will not come: the region may be read for as long as Triton likes."""
        region.close()
        if region in self._lent:
            self._lent.remove(region)
            self._retire(region.name, region.size)

    def lost(self, region: Region) -> bool:
        """Triton does not know the region; whether `begin` may help."""
        self.withdraw(region)
        self._losses += 1
        self.end()
        return self._losses < LOSSES

    def forgive(self) -> None:
        """It is another connection: what was lost before says nothing."""
        self._losses = 0

    async def close(self) -> None:
        """Take everything away from Triton, as far as it answers, and leave nothing behind."""
        names = [region.name for region in (*self._free, *self._lent)] + list(self._withdrawn)
        usable, work = self.usable, list(self._work)
        self.end()
        await asyncio.gather(*work, return_exceptions=True)
        if usable:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await asyncio.gather(*map(self._registry.unregister, names), return_exceptions=True)
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    @property
    def held_bytes(self) -> int:
        """What Triton has mapped for us now, or may still have."""
        regions = sum(region.size for region in (*self._free, *self._lent))
        return regions + sum(self._withdrawn.values())

    async def _trouble(self) -> str | None:
        """Why this Triton cannot be given rows through shared memory; None: it can."""
        try:
            if not await self._registry.supported():
                return "it is no Triton 24.09 or newer"
            owner = self._living_owner()
            await prove(self._registry, owner)
            await self._clear_up(owner)
        except OSError as error:
            return f"{error.strerror} ({error.filename or 'shared memory'})"
        except Refused as refusal:
            return str(refusal)
        return None

    def _living_owner(self) -> Owner:
        if self._owner is not None and not self._owner.in_place():
            self._owner.close()
            self._owner = None
        if self._owner is None:
            remove_dead()
            self._owner = self._own()
        return self._owner

    async def _clear_up(self, owner: Owner) -> None:
        """Have Triton let go of regions that nobody writes to any more: dead owners', and ours of before."""
        for name in sorted(await self._registry.registered()):
            whose = owner_of(name)
            if name.startswith(PREFIX) and (whose == owner.name or not alive(whose)):
                log.info("Triton at %s: region %s has no owner any more", self._address, name)
                self._retire(name, 0)

    def _want(self, size: int) -> None:
        """Have a region made, in the background and one at a time: meanwhile rows go in bodies."""
        loop = asyncio.get_running_loop()
        making = self._making is not None and not self._making.done()
        if making or loop.time() < self._no_room_until or size > self._most_bytes:
            return
        size = max(LEAST_BYTES, 1 << (size - 1).bit_length())
        while self._free and self.held_bytes + size > self._most_bytes:
            region = self._free.pop(0)  # the one that has not been used for longest
            region.close()
            self._retire(region.name, region.size)
        if self.held_bytes + size <= self._most_bytes:
            self._making = self._start(self._make(size))

    async def _make(self, size: int) -> None:
        assert self._owner is not None  # noqa: S101 there was one when this was proved usable
        try:
            segment = self._owner.segment(size)
        except OSError as error:
            self._no_room_until = asyncio.get_running_loop().time() + NO_ROOM_S
            self._say(f"no room for {size} bytes of shared memory: {error.strerror}")
            return
        try:
            await self._registry.register(segment.name, size)
        except (Refused, Away) as error:
            segment.close()
            self._no_room_until = asyncio.get_running_loop().time() + RETRY_S
            if isinstance(error, Refused):
                self._say(str(error))
        except asyncio.CancelledError:
            segment.close()
            raise
        else:
            # Both have it mapped. Without a name nobody else can open it, and however we end, it is not left.
            segment.unlink()
            self._free.append(Region(segment))

    def _retire(self, name: str, size: int) -> None:
        self._withdrawn[name] = size
        self._start(self._see_off(name))

    async def _see_off(self, name: str) -> None:
        """Until Triton does not have it: it keeps a region for as long as a call reads it."""
        while True:
            with contextlib.suppress(Refused, Away):
                await self._registry.unregister(name)
                if name not in await self._registry.registered():
                    break
            await asyncio.sleep(RETRY_S)
        self._withdrawn.pop(name, None)

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    def _cancel_work(self) -> None:
        for task in self._work:
            task.cancel()
        self._making = None

    def _say(self, trouble: str | None) -> None:
        """Each reason once."""
        if trouble is None:
            log.info("Triton at %s is given rows through shared memory", self._address)
        elif trouble != self._said:
            log.log(self._level, "Triton at %s is given rows in its calls: %s", self._address, trouble)
        self._said = trouble
