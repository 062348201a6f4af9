"""Predictions remembered for a while in Redis, so that the truth about them can be told later.

One key per prediction, expiring; an index by time bounds their number. The truths' sums, a few numbers for
each edition of a version, go when nobody has told a truth for a long time.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from gateway import feedback
from gateway.errors import Conflict, NotFound, Unavailable
from gateway.feedback import Kept, kept
from gateway.prediction import Prediction
from gateway.redis_client import FAILURES
from gateway.wire.identifier import made_at
from gateway.write_behind import WriteBehind

if TYPE_CHECKING:
    from redis.asyncio import Redis

INDEX = "fixgate:predictions"
PENDING = 4096
CALL_S = 2.0
SUMS_S = 90 * 86_400
GATHERED_S, LOOK_AGAIN_S = 1.0, 0.05
"""A prediction so young may not be in Redis yet: processes write theirs behind the answers."""

_KEEP = """
local ttl, limit, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), cmsgpack.unpack(ARGV[3])
for _, one in ipairs(kept) do
  redis.call('SET', 'fixgate:prediction:' .. one[1], one[3], 'EX', ttl)
  redis.call('ZADD', KEYS[1], one[2], one[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', kept[#kept][2] - ttl)
local over = redis.call('ZCARD', KEYS[1]) - limit
if over > 0 then
  local popped = redis.call('ZPOPMIN', KEYS[1], over)
  for i = 1, #popped, 2 do redis.call('DEL', 'fixgate:prediction:' .. popped[i]) end
end
redis.call('EXPIRE', KEYS[1], ttl)
"""
_TELL = """
if redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) == false then return false end
for i = 3, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return redis.call('HGETALL', KEYS[2])
"""


class Remembered:
    """Keeps predictions, takes truths, tells what the truths say."""

    def __init__(self, redis: "Redis", *, seconds: int, count: int) -> None:
        self._redis = redis
        self._seconds = seconds
        self._count = count
        self.writer = WriteBehind[Kept]("predictions for feedback", self._write, bound=PENDING)

    def put(self, prediction: Prediction) -> None:
        """Hand over a prediction; never waits."""
        self.writer.put(kept(prediction))

    async def find(self, prediction_id: str) -> Kept:
        """The prediction of that id, also one that is not written yet.

        Raises:
            NotFound: never made, expired, or crowded out.
            Unavailable: Redis does not answer.
        """
        for one in self.writer.pending:
            if one.id == prediction_id:
                return one
        document = await self._call(self._redis.get(_key(prediction_id)))
        looks = GATHERED_S / LOOK_AGAIN_S if time.time() - made_at(prediction_id) < GATHERED_S else 0
        while not document and looks > 0:
            await asyncio.sleep(LOOK_AGAIN_S)  # another process made it, and is about to write it
            looks -= 1
            document = await self._call(self._redis.get(_key(prediction_id)))
        try:
            return msgspec.json.decode(document or b"", type=Kept)
        except msgspec.DecodeError:
            raise NotFound(
                f'no prediction "{prediction_id}" is remembered: unknown, older than {self._seconds:,} s, or '
                f"not among the newest {self._count:,}"
            ) from None

    async def tell(self, one: Kept, outcome: feedback.Outcome) -> dict[str, float]:
        """Add a truth's outcome to its edition's sums, which are answered; once per prediction.

        Raises:
            Conflict: the truth about this prediction was told before.
            Unavailable: Redis does not answer.
        """
        added = [part for pair in feedback.increments(outcome).items() for part in map(str, pair)]
        names = (f"fixgate:truth:{one.id}", _sums(one.model, one.version, one.edition))
        times = (str(self._seconds + 60), str(SUMS_S))
        answer = await self._call(self._redis.eval(_TELL, 2, *names, *times, *added))
        if answer is None:
            raise Conflict(f'the truth about prediction "{one.id}" was told before')
        return _numbers(dict(zip(answer[::2], answer[1::2], strict=True)))

    async def sums(self, model: str, version: int, edition: str) -> dict[str, float]:
        """An edition's sums; empty without truths.

        Raises:
            Unavailable: Redis does not answer.
        """
        return _numbers(await self._call(self._redis.hgetall(_sums(model, version, edition))))

    async def _write(self, batch: Sequence[Kept]) -> None:
        # One argument for all: the client spends more on an argument than Redis does on unpacking it.
        packed = msgspec.msgpack.encode(
            [(one.id, one.at, msgspec.json.encode(one).decode()) for one in batch]
        )
        await self._redis.eval(_KEEP, 1, INDEX, str(self._seconds), str(self._count), packed)

    async def _call(self, call: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(CALL_S):
                return await call
        except FAILURES as error:
            raise Unavailable("predictions are remembered in Redis, which does not answer") from error


def _key(prediction_id: str) -> str:
    return f"fixgate:prediction:{prediction_id}"


def _sums(model: str, version: int, edition: str) -> str:
    return f"fixgate:feedback:{model}:{version}:{edition}"


def _numbers(raw: Mapping[bytes, bytes]) -> dict[str, float]:
    return {name.decode(): float(value) for name, value in raw.items()}
