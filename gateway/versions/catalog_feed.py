"""Follows the catalogue that sync publishes, and keeps the last good one in a file of our own."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from contract import catalog, keys
from contract.catalog import Catalog, CatalogError
from gateway.redis_client import FAILURES

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

POLL_S = 2.0
"""The catalogue is read this often even when no notification comes: they can be lost."""

RECONNECT_S = 0.5

COMMAND_S = 5.0
"""Longer than this, Redis hangs."""

Source = Literal["redis", "snapshot"]


class CatalogFeed:
    """The newest catalogue seen, from Redis or from the snapshot of an earlier run.

    Garbage and older revisions are refused; a Redis that is down, empty or flushed changes nothing.
    `prepare` is called with each new one before it is current, in a thread but for the snapshot's: what its
    versions need and takes long belongs there. `changed` is called, in the event loop, when it is.
    """

    def __init__(
        self, redis: "Redis", snapshot: Path, prepare: Callable[[Catalog], None] = lambda _: None
    ) -> None:
        self._redis = redis
        self._snapshot = snapshot
        self._prepare = prepare
        self._last_document: bytes | None = None
        self.changed: Callable[[Catalog], None] = lambda _: None
        self.current: Catalog | None = None
        self.source: Source | None = None
        self.connected = False
        self._complained = False

    def start_from_snapshot(self) -> None:
        """Take the snapshot, if there is a good one."""
        try:
            document = self._snapshot.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("the catalogue's snapshot cannot be read: %s", error)
            return
        if new := self._newer(document, "snapshot"):
            self._prepare(new)
            self._adopt(new, "snapshot")
            log.info("starting from the catalogue's snapshot, revision %d", self.revision)

    @property
    def revision(self) -> int:
        """The current catalogue's, or 0."""
        return self.current.revision if self.current else 0

    async def follow(self) -> None:
        """Follow Redis for ever, reconnecting whenever it comes back."""
        while True:
            try:
                await self._follow_one_connection()
            except FAILURES as error:
                self.connected = False
                if not self._complained:
                    log.warning("the catalogue cannot be followed: %s", str(error) or type(error).__name__)
                self._complained = True
                await asyncio.sleep(RECONNECT_S)

    async def _follow_one_connection(self) -> None:
        async with self._redis.pubsub() as channel:
            async with asyncio.timeout(COMMAND_S):
                await channel.subscribe(keys.CATALOG)
            while True:
                await self._read()
                self.connected = True
                self._complained = False
                await channel.get_message(ignore_subscribe_messages=True, timeout=POLL_S)

    async def _read(self) -> None:
        async with asyncio.timeout(COMMAND_S):
            document = await self._redis.get(keys.CATALOG)
        if not isinstance(document, bytes) or document == self._last_document:
            return
        if new := self._newer(document, "redis"):
            await asyncio.to_thread(self._prepare, new)
            self._adopt(new, "redis")
            log.info("catalogue revision %d", self.revision)
            await asyncio.to_thread(self._keep, document)
        self._last_document = document

    def _newer(self, document: bytes, source: Source) -> Catalog | None:
        """The document's catalogue, unless it is garbage or not newer than what we have."""
        try:
            new = catalog.parse(document)
        except CatalogError as error:
            log.error("refused a catalogue from %s: %s", source, error)  # noqa: TRY400 the message says it all
            return None
        if new.revision < self.revision:
            log.warning("refused catalogue revision %d: it is older than %d", new.revision, self.revision)
        return new if new.revision > self.revision else None

    def _adopt(self, new: Catalog, source: Source) -> None:
        self.current = new
        self.source = source
        self.changed(new)

    def _keep(self, document: bytes) -> None:
        """Replace the snapshot atomically; without one, we only start slower next time."""
        staged = self._snapshot.with_name(f"{self._snapshot.name}.{os.getpid()}")
        try:
            self._snapshot.parent.mkdir(parents=True, exist_ok=True)
            staged.write_bytes(document)
            staged.replace(self._snapshot)
        except OSError as error:
            log.warning("the catalogue's snapshot cannot be written: %s", error)
