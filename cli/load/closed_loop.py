"""Clients that send their next request when the last has been answered."""

import asyncio
import time
from collections.abc import Callable

from cli.load.connection import Pool
from cli.load.figures import Sample

PAUSE_S = 0.05


async def run(
    pool: Pool,
    request: Callable[[int], bytes],
    *,
    clients: int,
    seconds: float,
) -> list[Sample]:
    """Keep `clients` requests under way for `seconds`; `request` is asked for the 0th, 1st, … of them."""
    samples: list[Sample] = []
    start = time.perf_counter()
    number = 0

    async def client() -> None:
        nonlocal number
        while (begun := time.perf_counter()) - start < seconds:
            mine, number = number, number + 1
            status = 0
            try:
                status = (await pool.ask(request(mine))).status
            except OSError:
                await asyncio.sleep(PAUSE_S)
            samples.append(Sample(begun - start, time.perf_counter() - begun, status))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(clients):
            tasks.create_task(client())
    return samples
