"""What a gateway makes of its Redis: nothing that its clients would notice, then all that it is there for."""

import asyncio
from statistics import median

from redis import Redis

from contract import keys
from tests.faults.load import SLACK_S, Load
from tests.faults.world import World, dependencies
from tests.gateway.waiting import until

COSTS_S = 0.5
"""Ten times what a Redis that hangs may cost an answer; half of them are to cost less."""
LONGEST_S = 1.0
AGAIN_S = 45.0
"""The cache looks for Redis every ten seconds at the latest; the catalogue gives a silent connection five."""
MANY = 50


def assert_nobody_waited(seen: Load, since: float) -> None:
    """Requests begun since then were answered as soon as those before, and each of them soon."""
    before = [one.took_s for one in seen.answers if one.ended <= since]
    took = [one.took_s for one in seen.answers if one.began > since]
    assert median(took) < median(before) + COSTS_S, (median(took), median(before))
    assert max(took) < LONGEST_S + SLACK_S + seen.stalled_s, (max(took), seen.stalled_s)


async def left_alone(url: str) -> None:
    """Wait until the gateway does without the cache in Redis.

    Raises:
        TimeoutError: it did not in time.
    """

    async def says_so() -> bool:
        now = await asyncio.to_thread(dependencies, url)
        return bool(now["redis_cache"] == {"status": "down"})

    await until(says_so, within_s=AGAIN_S)


async def used_again(world: World, url: str) -> None:
    """Wait until the gateway takes up a new catalogue from Redis, looks for fixes there, and keeps new ones.

    Raises:
        TimeoutError: it did not in time.
    """
    known = await asyncio.to_thread(dependencies, url)
    revision = known["catalogue"]["revision"] + 1
    await asyncio.to_thread(world.announce, revision)
    looked, kept = await asyncio.to_thread(use, world)

    async def says_so() -> bool:
        now = await asyncio.to_thread(dependencies, url)
        catalogue = now["catalogue"]
        return bool(
            catalogue["revision"] == revision
            and catalogue["following"]
            and now["redis_cache"] == {"status": "up"}
        )

    async def does_so() -> bool:
        looked_now, kept_now = await asyncio.to_thread(use, world)
        return looked_now > looked and kept_now > kept + MANY

    await until(says_so, within_s=AGAIN_S)
    await until(does_so, within_s=AGAIN_S)


def use(world: World) -> tuple[int, int]:
    """How often fixes were looked for, and how many are kept, as Redis itself has it."""
    with world.client() as client:
        return _reads(client), sum(1 for _ in client.scan_iter(match=f"{keys.FIXES}*", count=1000))


def _reads(client: Redis) -> int:
    reads = client.info("commandstats").get("cmdstat_mget", {"calls": 0})
    return int(reads["calls"])
