"""The newest entries of sync's journal, from their copy in Redis."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from contract import deployment, keys
from contract.deployment import Deployment
from gateway.errors import Unavailable
from gateway.redis_client import FAILURES

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

READ_S = 2.0


class Deployments:
    """Reads the copy."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    async def of(self, model: str, limit: int) -> list[Deployment]:
        """A model's entries, at most `limit`, newest first.

        Raises:
            Unavailable: Redis does not answer.
        """
        try:
            async with asyncio.timeout(READ_S):
                entries: Any = await self._redis.xrevrange(keys.JOURNAL)
        except FAILURES as error:
            raise Unavailable("the journal's copy is in Redis, which does not answer") from error
        read = (_parsed(fields.get(b"entry", b"")) for _, fields in entries)
        return [one for one in read if one is not None and one.model == model][:limit]


def _parsed(document: bytes) -> Deployment | None:
    try:
        return deployment.parse(document)
    except ValueError as error:
        log.warning("passed over an entry of %s: %s", keys.JOURNAL, error)
        return None
