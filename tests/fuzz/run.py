"""Send mutated bodies over HTTP and count what comes back."""

import asyncio
import gzip
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from backports import zstd

from gateway.wire.problem import MEDIA_TYPE as PROBLEM
from tests.gateway.wire.mutation import Seed, mutate

HANG_S = 20.0
CONNECTIONS = 16
COMPRESSED = 0.15
"""Share of the bodies that are compressed after they were broken, so that they get past the decoder."""

_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}


@dataclass
class Outcome:
    """Counts. `faults` tells what must not happen, with the number of the body that brought it about."""

    statuses: Counter[int] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


async def send(url: str, seeds: list[Seed], numbers: Iterator[int], seed: int, outcome: Outcome) -> None:
    """Send one body for each number and count the answers; the same numbers and seed make the same bodies."""
    connector = TCPConnector(limit=CONNECTIONS)
    async with (
        ClientSession(url, connector=connector, timeout=ClientTimeout(total=HANG_S)) as client,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(CONNECTIONS):
            group.create_task(_work(client, seeds, numbers, seed, outcome))


async def _work(
    client: ClientSession, seeds: list[Seed], numbers: Iterator[int], seed: int, outcome: Outcome
) -> None:
    for number in numbers:
        form, body, encoding = _broken(seeds, random.Random(f"{seed} {number}"))
        headers = {"Content-Type": form.content_type} | ({"Content-Encoding": encoding} if encoding else {})
        path = f"/{form.path}" + (f"?{urlencode(form.query)}" if form.query else "")
        outcome.forms[form.name] += 1
        try:
            async with client.post(path, data=body, headers=headers) as response:
                await response.read()
        except (ClientError, TimeoutError) as error:
            outcome.faults.append(f"body {number} ({form.name}): no answer: {error!r}")
            continue
        outcome.statuses[response.status] += 1
        if response.status >= 500 or (response.status >= 400 and response.content_type != PROBLEM):
            outcome.faults.append(f"body {number} ({form.name}): {response.status} {response.content_type}")


def _broken(seeds: list[Seed], chance: random.Random) -> tuple[Seed, bytes, str | None]:
    """A form, its body broken, and the content encoding."""
    form = chance.choice(seeds)
    body = mutate(form.body, chance)
    if form.content_encoding is None and chance.random() < COMPRESSED:
        encoding = chance.choice(sorted(_COMPRESS))
        return form, _COMPRESS[encoding](body), encoding
    return form, body, form.content_encoding
