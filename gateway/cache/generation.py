"""Noticing that the cache was cleared, by a number in Redis: a notice could be missed, a number cannot."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from contract.keys import CACHE_GENERATION
from gateway.redis_client import FAILURES

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

LOOK_S = 1.0
READ_S = 1.0


class CacheGeneration:
    """Looks every second; while Redis is away, memory is kept, and looked at again when it is back.

    Args:
        cleared: is called when the number is another than at the last look.
    """

    def __init__(self, redis: "Redis", cleared: Callable[[], None]) -> None:
        self._redis = redis
        self._cleared = cleared
        self._known: Any = None
        self._looked = False

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look once."""
        try:
            async with asyncio.timeout(READ_S):
                found: Any = await self._redis.get(CACHE_GENERATION)
        except FAILURES:
            return
        if self._looked and found != self._known:
            log.info("the cache was cleared: memory is forgotten")
            self._cleared()
        self._known, self._looked = found, True
