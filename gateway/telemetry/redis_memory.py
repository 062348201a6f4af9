"""How much memory Redis uses, looked up now and then."""

import asyncio
from typing import TYPE_CHECKING

from gateway.redis_client import FAILURES

if TYPE_CHECKING:
    from redis.asyncio import Redis

EVERY_S = 10.0
ANSWER_S = 2.0


class RedisMemory:
    """`used_bytes` is None while Redis does not say."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self.used_bytes: float | None = None

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Look once."""
        try:
            async with asyncio.timeout(ANSWER_S):
                self.used_bytes = float((await self._redis.info("memory"))["used_memory"])
        except (*FAILURES, KeyError, ValueError):
            self.used_bytes = None
