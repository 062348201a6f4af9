"""Asking sync to do something, and waiting for its answer: through Redis, by the command's id."""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from contract import command, keys
from contract.command import Action, Command, Reply
from gateway.errors import Unavailable
from gateway.redis_client import FAILURES
from gateway.wire.identifier import uuid7

if TYPE_CHECKING:
    from redis.asyncio import Redis

LENGTH = 1000
"""Commands that wait for sync at most, about; the oldest go first and have expired long since."""


class Commands:
    """The gateway's side of the command stream."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    async def ask(
        self,
        action: Action,
        *,
        by: str,
        timeout_s: float,
        model: str | None = None,
        version: int | None = None,
        arguments: Mapping[str, msgspec.Raw] | None = None,
    ) -> Reply:
        """Sync's answer; a command that it reads after `timeout_s` is not carried out.

        Raises:
            Unavailable: Redis is away, or sync does not answer in time.
        """
        now = time.time()
        asked = Command(
            uuid7(),
            action,
            by,
            now,
            now + timeout_s,
            model=model,
            version=version,
            arguments=dict(arguments or {}),
        )
        try:
            async with asyncio.timeout(timeout_s) as limit:
                entry = {"command": command.dump(asked)}
                await self._redis.xadd(keys.COMMANDS, entry, maxlen=LENGTH, approximate=True)  # type: ignore[arg-type]
                answer: Any = await self._redis.blpop([keys.reply(asked.id)], timeout=0)
                return command.parse_reply(answer[1])
        except FAILURES as error:
            if limit.expired():
                raise Unavailable(
                    f"sync did not answer within {timeout_s:g} s: it is down, or does not reach Redis"
                ) from None
            raise Unavailable("commands go to sync through Redis, which does not answer") from error
        except ValueError as error:
            raise Unavailable(f"sync's answer cannot be read: {error}") from error
