"""API keys, rates and TLS at every one of several workers."""

import asyncio
from collections import Counter
from pathlib import Path

from aiohttp import ClientSession, TCPConnector

from gateway.access import key_file
from gateway.access.key_file import Scope
from gateway.config import Config
from tests.gateway.access.conftest import Keys
from tests.gateway.certificate import issue
from tests.gateway.serving.test_workers import WITHIN_S, workers
from tests.gateway.test_main import environment, running
from tests.gateway.triton.holding_triton import holding_triton
from tests.gateway.waiting import until

WORKERS, MANY = 2, 30
"""So many connections are not all taken by one worker while both wait for them, in all likelihood; where they
are, the next ones are tried."""


async def test_keys_rates_and_tls_hold_at_every_worker(alone: Config, keys: Keys, tmp_path: Path) -> None:
    """With one request a day for each key and worker, as many get through as there are workers."""
    pair = issue(tmp_path)
    options = environment(
        alone,
        FIXGATE_WORKERS=str(WORKERS),
        FIXGATE_API_KEYS_FILE=str(keys.file),
        FIXGATE_RATE_LIMIT="1/day",
        FIXGATE_TLS_CERT=str(pair.certificate),
        FIXGATE_TLS_KEY=str(pair.key),
        FIXGATE_LOG_LEVEL="error",
    )
    url = f"https://127.0.0.1:{options['FIXGATE_PORT']}"
    connector = TCPConnector(ssl=pair.client, force_close=True, limit=0)
    async with (
        holding_triton() as triton,
        running({**options, "FIXGATE_TRITON_GRPC": triton.address}) as gateway,
        ClientSession(url, connector=connector) as client,
    ):

        async def statuses(key: str) -> Counter[int]:
            async def one() -> int:
                async with client.get("/models", headers={"X-API-Key": key}) as response:
                    return response.status

            return Counter(await asyncio.gather(*(one() for _ in range(MANY))))

        async def through(key: str, total: Counter[int]) -> bool:
            total += await statuses(key)
            return total[200] == WORKERS

        await until(lambda: len(workers(gateway)) == WORKERS, within_s=WITHIN_S)
        await until(lambda: _listens(client), within_s=WITHIN_S)
        seen: Counter[int] = Counter()
        await until(lambda: through(keys.known["read"], seen), within_s=WITHIN_S)
        assert set(seen) == {200, 429}
        assert await statuses(keys.known["read"]) == {429: MANY}
        assert await statuses(keys.known["predict"]) == {403: MANY}
        assert await statuses(keys.known["read"][:-1]) == {401: MANY}

        later = keys.add("later", Scope.READ)
        seen.clear()
        await until(lambda: through(later, seen), within_s=WITHIN_S)
        key_file.remove(keys.file, "read")

        async def forgotten() -> bool:
            return await statuses(keys.known["read"]) == {401: MANY}

        await until(forgotten, within_s=WITHIN_S)


async def _listens(client: ClientSession) -> bool:
    try:
        async with client.get("/health") as response:
            return response.status == 200
    except OSError:
        return False
