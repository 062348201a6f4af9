"""Predictions remembered for a while in Redis, so that the truth about them can be told later.

They are kept in packs by the time of their making, which an id tells: a pack costs Redis hardly more than
one prediction would. The truths' sums, a few numbers for each edition of a version, go when nobody has told
a truth for a long time.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.errors import Conflict, NotFound, Unavailable
from gateway.kept import feedback
from gateway.kept.feedback import Kept, kept
from gateway.kept.write_behind import WriteBehind
from gateway.prediction import Prediction
from gateway.redis_client import FAILURES
from gateway.wire.identifier import made_at

if TYPE_CHECKING:
    from redis.asyncio import Redis

PACKS = "fixgate:predictions"
"""Sorted set: packs of predictions by the time of their first; and `held`, minus how many there are."""

SPAN_S, SLACK_S = 0.1, 0.01
"""How long a pack reaches over; how far an id's time may be from its prediction's."""

PENDING = 4096
CALL_S = 2.0
SUMS_S = 90 * 86_400
GATHERED_S, LOOK_AGAIN_S = 1.0, 0.05
"""A prediction so young may not be in Redis yet: processes write theirs behind the answers."""

_KEEP = """
local ttl, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
for i = 3, #ARGV, 3 do
  redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 2])
  redis.call('ZINCRBY', KEYS[1], -ARGV[i + 1], 'held')
end
local over = -redis.call('ZSCORE', KEYS[1], 'held') - limit
local least = ARGV[#ARGV - 2] - ttl
while true do
  local oldest = redis.call('ZRANGE', KEYS[1], 1, 1, 'WITHSCORES')
  local late = oldest[1] and tonumber(oldest[2]) < least
  if not oldest[1] or (not late and over <= 0) then break end
  local readable, pack = pcall(cmsgpack.unpack, oldest[1])
  if not readable or type(pack) ~= 'table' then pack = {} end
  local going = late and #pack or math.min(over, #pack)
  redis.call('ZREM', KEYS[1], oldest[1])
  redis.call('ZINCRBY', KEYS[1], going, 'held')
  over = over - going
  if going < #pack then
    local rest = {unpack(pack, going + 1)}
    redis.call('ZADD', KEYS[1], rest[1][4], cmsgpack.pack(rest))
  end
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
        found = await self._kept(prediction_id)
        looks = GATHERED_S / LOOK_AGAIN_S if time.time() - made_at(prediction_id) < GATHERED_S else 0
        while found is None and looks > 0:
            await asyncio.sleep(LOOK_AGAIN_S)  # another process made it, and is about to write it
            looks -= 1
            found = await self._kept(prediction_id)
        if found is None:
            raise NotFound(
                f'no prediction "{prediction_id}" is remembered: unknown, older than {self._seconds:,} s, or '
                f"not among the newest {self._count:,}"
            )
        return found

    async def _kept(self, prediction_id: str) -> Kept | None:
        made = made_at(prediction_id)
        if made < time.time() - self._seconds:
            return None
        first, last = made - SPAN_S - SLACK_S, made + SLACK_S
        packs = await self._call(self._redis.zrangebyscore(PACKS, first, last))
        return next((one for pack in packs for one in _unpacked(pack) if one.id == prediction_id), None)

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
        batch = batch[-self._count :]
        arguments: list[str | bytes] = []
        while batch:
            until = batch[0].at + SPAN_S
            pack = [one for one in batch if one.at <= until]
            arguments += (str(pack[0].at), str(len(pack)), msgspec.msgpack.encode(pack))
            batch = [one for one in batch if one.at > until]
        await self._redis.eval(_KEEP, 1, PACKS, str(self._seconds), str(self._count), *arguments)

    async def _call(self, call: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(CALL_S):
                return await call
        except FAILURES as error:
            raise Unavailable("predictions are remembered in Redis, which does not answer") from error


def _unpacked(pack: bytes) -> list[Kept]:
    """What lies in a shared Redis is not trusted."""
    try:
        return msgspec.msgpack.decode(pack, type=list[Kept])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def _sums(model: str, version: int, edition: str) -> str:
    return f"fixgate:feedback:{model}:{version}:{edition}"


def _numbers(raw: Mapping[bytes, bytes]) -> dict[str, float]:
    return {name.decode(): float(value) for name, value in raw.items()}
