"""Several workers behind one listener, as real processes under load."""

import asyncio
import os
import re
import signal
from pathlib import Path

import msgspec
from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, TCPConnector

from contract import catalog as catalogs
from gateway.config import Config
from tests.gateway import stand
from tests.gateway.conftest import ECHO
from tests.gateway.test_main import ROW, Running, environment, running
from tests.gateway.triton.holding_triton import holding_triton
from tests.gateway.waiting import until

CONNECTIONS = 100
PAUSE_S = 0.5
"""Between two requests of a connection: a worker that starts needs some of the processor too."""

WITHIN_S = 180


class Load:
    """Predictions over 100 connections at once; any answer but 200 is a failure."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ended = False
        self.answered = 0
        self.failed: list[str] = []

    async def run(self) -> None:
        async with ClientSession(self._url, connector=TCPConnector(limit=CONNECTIONS)) as client:
            await asyncio.gather(*(self._one(client) for _ in range(CONNECTIONS)))

    def end(self) -> None:
        """After the requests under way."""
        self._ended = True

    async def more(self, count: int) -> None:
        """Wait until so many more are answered."""
        wanted = self.answered + count
        await until(lambda: self.answered >= wanted or bool(self.failed), within_s=WITHIN_S)

    async def _one(self, client: ClientSession) -> None:
        while not self._ended:
            try:
                async with client.post(f"/models/{ECHO}/predict", json=ROW) as response:
                    if response.status != 200:
                        self.failed.append(await response.text())
            except ClientConnectionError as error:
                self.failed.append(repr(error))
            self.answered += 1
            await asyncio.sleep(PAUSE_S)


def workers(gateway: Running) -> set[int]:
    """The parent's children."""
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    return set(map(int, children.read_text().split()))


async def log_until_up(gateway: Running, count: int) -> str:
    """What it logs until the parent has heard from so many workers that they answer."""
    assert gateway.process.stderr is not None
    log = ""
    async with asyncio.timeout(WITHIN_S):
        while len(re.findall(r"worker \d+ answers", log)) < count:
            line = await gateway.process.stderr.readline()
            assert line, log
            log += line.decode()
    return log


async def total(gateway: Running, metric: str) -> float:
    """The sum over a metric's labels."""
    async with gateway.client.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric))


async def requests_total(gateway: Running) -> int:
    """Of the model, as /model/performance has it."""
    async with gateway.client.get("/model/performance") as response:
        return int((await response.json())["requests_total"])


async def test_workers_are_replaced_without_a_dropped_request_and_count_as_one(alone: Config) -> None:
    """Rolled over under load, then one killed; told to reload, to drain."""
    async with holding_triton() as triton:
        triton.release.set()
        told = {"FIXGATE_WORKERS": "2", "FIXGATE_LOG_LEVEL": "error"}  # nobody reads the log before the end
        options = environment(alone, FIXGATE_TRITON_GRPC=triton.address, **told)
        async with running(options) as gateway:

            async def is_ready() -> bool:
                return await gateway.status("/ready") == 200

            await until(is_ready, within_s=WITHIN_S)
            await until(lambda: len(workers(gateway)) == 2, within_s=WITHIN_S)
            first = workers(gateway)
            load = Load(str(gateway.client._base_url))
            loading = asyncio.create_task(load.run())
            await load.more(300)
            gateway.process.send_signal(signal.SIGUSR2)
            await until(
                lambda: len(workers(gateway)) == 2 and not workers(gateway) & first, within_s=WITHIN_S
            )
            await load.more(300)
            load.end()
            await loading
            assert load.failed == []
            assert await total(gateway, "fixgate_predictions_total") == load.answered
            assert await requests_total(gateway) == load.answered

            second = workers(gateway)
            os.kill(min(second), signal.SIGKILL)
            await until(lambda: len(workers(gateway) - {min(second)}) == 2, within_s=WITHIN_S)
            assert await total(gateway, "fixgate_predictions_total") == load.answered
            assert await gateway.predict() == 200
            assert await total(gateway, "fixgate_predictions_total") == load.answered + 1

            gateway.process.send_signal(signal.SIGHUP)
            gateway.process.send_signal(signal.SIGTERM)
            assert await gateway.process.wait() == 0
            log = await gateway.log()
    assert "reload: commands go to sync through Redis, which does not answer" in log
    assert "ended with -9; another starts" in log


async def test_the_parent_hears_from_every_worker_that_it_answers(alone: Config) -> None:
    """Of one that it has not heard from, it would not notice that it stands still."""
    async with holding_triton() as triton:
        options = environment(alone, FIXGATE_TRITON_GRPC=triton.address, FIXGATE_WORKERS="3")
        async with running(options) as gateway:
            assert "worker 1 answers" in await log_until_up(gateway, 3)


async def test_a_worker_that_is_alone_with_work_has_all_calls_under_way(alone: Config) -> None:
    """Two of them share two calls; one connection is one worker's."""
    samples = [{"features": [45, 9, 100, 200, row / 99]} for row in range(3 * stand.MAX_BATCH)]
    async with holding_triton() as triton:
        options = environment(alone, FIXGATE_TRITON_GRPC=triton.address, FIXGATE_WORKERS="2")
        async with running(options) as gateway:
            await log_until_up(gateway, 2)
            path, headers = f"/models/{ECHO}/predict/batch", {"X-Request-Timeout-Ms": "60000"}
            asking = asyncio.create_task(
                gateway.client.post(path, json={"samples": samples}, headers=headers)
            )
            await until(lambda: triton.held == 2, within_s=WITHIN_S)
            triton.release.set()
            assert (await asking).status == 200
    assert triton.rows == [stand.MAX_BATCH] * 3


async def test_only_one_worker_takes_connections_before_the_model_is_served(
    alone: Config, empty_redis: str
) -> None:
    """It says what is missing. The other takes its share from the moment at which it can answer."""
    catalogue = msgspec.structs.replace(catalogs.parse(alone.snapshot.read_bytes()), revision=7)
    stand.announce(empty_redis, msgspec.structs.replace(catalogue, revision=6, models={}, default_model=None))
    alone.snapshot.unlink()
    async with holding_triton() as triton:
        triton.release.set()
        options = environment(alone, FIXGATE_TRITON_GRPC=triton.address, FIXGATE_WORKERS="2")
        async with running({**options, "FIXGATE_REDIS_URL": empty_redis}) as gateway:

            async def answers(path: str, status: int) -> bool:
                """To somebody who was not there before; 0: not within a second."""
                timeout = ClientTimeout(total=1)
                async with ClientSession(gateway.client._base_url, timeout=timeout) as stranger:
                    try:
                        return await Running(gateway.process, stranger).status(path) == status
                    except TimeoutError:
                        return status == 0

            assert gateway.process.stderr is not None
            told = 0
            async with asyncio.timeout(WITHIN_S):
                while told < 2:  # both are there, and know that nothing is served
                    told += b"revision 6" in await gateway.process.stderr.readline()
            await until(lambda: answers("/ready", 503), within_s=WITHIN_S)
            first = min(workers(gateway))
            os.kill(first, signal.SIGSTOP)
            try:
                assert await answers("/health", 0)
                stand.announce(empty_redis, catalogue)
                await until(lambda: answers("/ready", 200), within_s=8)
            finally:
                os.kill(first, signal.SIGCONT)

            async def predicts() -> bool:
                return await gateway.predict() == 200

            await until(predicts, within_s=WITHIN_S)  # the first one, too, when it has heard of the model


async def test_a_second_signal_ends_parent_and_workers_at_once(alone: Config) -> None:
    async with running(environment(alone, FIXGATE_WORKERS="2", FIXGATE_DRAIN_DELAY_S="600")) as gateway:

        async def answers() -> bool:
            return await gateway.status("/health") == 200

        await until(answers, within_s=WITHIN_S)
        await until(lambda: len(workers(gateway)) == 2, within_s=WITHIN_S)
        children = workers(gateway)
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.send_signal(signal.SIGINT)
        assert await gateway.process.wait() == 1
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), within_s=WITHIN_S)


async def test_workers_end_with_their_parent(alone: Config) -> None:
    """Also when it is killed: nobody is left behind, and the port is free."""
    async with running(environment(alone, FIXGATE_WORKERS="2")) as gateway:

        async def answers() -> bool:
            return await gateway.status("/health") == 200

        await until(answers, within_s=WITHIN_S)
        children = workers(gateway)
        gateway.process.kill()
        await gateway.process.wait()
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), within_s=WITHIN_S)
        assert await gateway.status("/health") == 0
