"""Shared memory with a real Triton: nobody sees another's rows, and nothing is left behind."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from gateway.config import Config
from gateway.domain import Float, Lane
from gateway.triton.endpoints import Triton
from gateway.triton.shared_memory import FOLDER, PREFIX, Owner, owner_of
from gateway.triton.shared_regions import LEAST_BYTES, Regions
from stack import process
from stack.triton_server import TritonPorts, shared_memory_prefix, triton_part
from tests.gateway import stand
from tests.gateway.conftest import ECHO
from tests.gateway.waiting import until
from tests.launch import Triton as RealTriton
from tests.launch import free_ports

ROW = np.array([45, 9, 100, 200, 0.5], np.float32)


def lane() -> Lane:
    """Where the echo model's rows go."""
    return Lane(ECHO, 1, "x", (5,), stand.echo_model(ECHO).contract.output)


def registered(address: str) -> set[str]:
    """The regions that Triton has, ours only."""
    answer = call(address, "SystemSharedMemoryStatus", service_pb2.SystemSharedMemoryStatusRequest())
    return {name for name in answer.regions if name.startswith(PREFIX)}


def call(address: str, method: str, request: Any) -> Any:
    """Ask Triton."""
    with grpc.insecure_channel(address) as channel:
        return getattr(service_pb2_grpc.GRPCInferenceServiceStub(channel), method)(request, timeout=10)


def regions_of(client: Triton) -> Regions:
    """What it shares with its first Triton."""
    regions = client._endpoints[0]._regions
    assert regions is not None
    return regions


async def sharing(address: str, *http: str) -> Triton:
    """A client whose next call goes through shared memory."""
    client = Triton([address], http=http, shared_memory="on")
    await until(lambda: client.status()[0].shared_memory, within_s=30)
    await share(client)
    return client


async def share(client: Triton) -> None:
    """Call until there is a region to lend."""

    async def there() -> bool:
        await client.infer(lane(), [ROW])
        return bool(regions_of(client)._free)

    await until(there, within_s=30)


@pytest.fixture
async def client(triton: RealTriton, models: dict[str, stand.Model]) -> AsyncIterator[Triton]:
    """A client that shares memory with the real Triton."""
    client = await sharing(triton.grpc)
    yield client
    await client.close()


async def test_answers_are_the_same_with_shared_memory_and_without(
    client: Triton, triton: RealTriton, models: dict[str, stand.Model]
) -> None:
    rng = np.random.default_rng(1)
    plain = Triton([triton.grpc])
    for count in range(1, stand.MAX_BATCH + 1):
        rows: list[Float] = [row.astype(np.float32) for row in rng.normal(size=(count, 10))[:, ::2]]
        free = len(regions_of(client)._free)
        shared = asyncio.create_task(client.infer(lane(), rows))
        await asyncio.sleep(0)
        assert len(regions_of(client)._free) == free - 1
        assert np.array_equal(np.hstack(await shared), np.hstack(await plain.infer(lane(), rows)))
        assert np.array_equal(np.hstack(await shared), np.stack(rows))
    await plain.close()


@pytest.mark.parametrize("over", ["grpc", "http"])
async def test_no_request_ever_sees_anothers_rows(
    triton: RealTriton, models: dict[str, stand.Model], monkeypatch: pytest.MonkeyPatch, over: str
) -> None:
    """Every row of 2,000 calls is unlike any other; some calls are given up, and regions are short."""
    client = await sharing(triton.grpc, *[triton.http] * (over == "http"))
    regions_of(client)._most_bytes = 4 * LEAST_BYTES
    chance, serial = random.Random(3), iter(range(1, 1 << 24))
    outcomes = {"shared": 0, "body": 0, "given up": 0}
    take = regions_of(client).take

    def counted(size: int) -> object:
        region = take(size)
        outcomes["body" if region is None else "shared"] += 1
        return region

    monkeypatch.setattr(regions_of(client), "take", counted)

    async def caller() -> None:
        for _ in range(100):
            rows = [np.full(5, next(serial), np.float32) for _ in range(chance.randint(1, stand.MAX_BATCH))]
            patience = chance.choice((None, None, None, 0.0, chance.uniform(0, 0.01)))
            try:
                async with asyncio.timeout(patience):
                    answer = await client.infer(lane(), rows)
            except TimeoutError:
                outcomes["given up"] += 1
                await asyncio.sleep(0)
                continue
            assert np.array_equal(np.hstack(answer), np.stack(rows))

    monkeypatch.setattr("gateway.triton.endpoint.LINGERING", 1000)
    await asyncio.gather(*(caller() for _ in range(20)))
    assert all(count > 100 for count in outcomes.values()), outcomes
    assert len(regions_of(client)._free) + len(regions_of(client)._lent) <= 4
    await client.close()


async def test_a_name_that_triton_has_already_is_never_used(
    client: Triton, triton: RealTriton, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows would be read from whatever is behind it: what a dead process left, for one."""
    regions, other = regions_of(client), Owner()
    assert regions._owner is not None
    taken = f"{regions._owner.name}.{regions._owner._made + 1}"
    behind = other.segment(1 << 20)
    call(
        triton.grpc,
        "SystemSharedMemoryRegister",
        service_pb2.SystemSharedMemoryRegisterRequest(name=taken, key=f"/{behind.name}", byte_size=1 << 20),
    )
    assert regions.take(1 << 20) is None
    await until(lambda: "already in manager" in caplog.text)
    assert taken not in {region.name for region in regions._free}
    assert np.array_equal(np.hstack(await client.infer(lane(), [ROW]))[0], ROW)
    call(
        triton.grpc,
        "SystemSharedMemoryUnregister",
        service_pb2.SystemSharedMemoryUnregisterRequest(name=taken),
    )
    behind.close()
    other.close()


async def test_regions_go_when_the_client_does(triton: RealTriton, models: dict[str, stand.Model]) -> None:
    client = await sharing(triton.grpc)
    owner = regions_of(client)._owner
    assert owner is not None
    assert {owner_of(name) for name in registered(triton.grpc)} >= {owner.name}
    await client.close()
    assert owner.name not in {owner_of(name) for name in registered(triton.grpc)}
    assert list(FOLDER.glob(f"{owner.name}*")) == []


CLIENT = """
import asyncio, sys
from gateway.triton.endpoints import Triton

async def main():
    client = Triton([sys.argv[1]], shared_memory="on")
    regions = client._endpoints[0]._regions
    while regions.take(1) is None:
        await asyncio.sleep(0.01)
    [region] = regions._lent
    print(region.name, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_what_a_killed_gateway_left_is_seen_off_by_the_next_to_start(
    triton: RealTriton, models: dict[str, stand.Model]
) -> None:
    """Its region stays registered with Triton, and its file in /dev/shm, until then."""
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, triton.grpc, stdout=asyncio.subprocess.PIPE
    )
    assert killed.stdout is not None
    region = (await killed.stdout.readline()).decode().strip()
    bystander = await sharing(triton.grpc)
    assert region in registered(triton.grpc)
    killed.send_signal(signal.SIGKILL)
    await killed.wait()
    assert region in registered(triton.grpc)
    assert (FOLDER / owner_of(region)).exists()
    others = registered(triton.grpc) - {region}
    client = await sharing(triton.grpc)
    await until(lambda: region not in registered(triton.grpc))
    assert others <= registered(triton.grpc)
    assert not (FOLDER / owner_of(region)).exists()
    await client.close()
    await bystander.close()


async def test_a_gateway_that_is_told_to_end_leaves_nothing(triton: RealTriton, alone: Config) -> None:
    options = {
        "FIXGATE_PORT": str(free_ports(1)[0]),
        "FIXGATE_HOME": str(alone.home),
        "FIXGATE_REDIS_URL": alone.redis_url,
        "FIXGATE_TRITON_GRPC": triton.grpc,
    }
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env={**os.environ, **options}, start_new_session=True
    )

    def files() -> set[Path]:
        owners = (f"{PREFIX}{pid}-*" for pid in process.members(gateway.pid))
        return {path for owner in owners for path in FOLDER.glob(owner)}

    await until(lambda: bool(files()), within_s=60)
    there = files()
    gateway.send_signal(signal.SIGTERM)
    assert await gateway.wait() == 0
    assert not [path for path in there if path.exists()]


@pytest.fixture
def restartable(tmp_path: Path) -> Iterator["Restartable"]:
    """A Triton of our own."""
    own = Restartable(tmp_path)
    yield own
    own.kill()


class Restartable:
    """A real Triton with the echo model, that can be killed and started again on the same ports."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._repository = home / "model_repository"
        self._ports = TritonPorts(*free_ports(3))
        self._running: subprocess.Popen[bytes] | None = None
        self.address = f"127.0.0.1:{self._ports.grpc}"
        self.http = f"127.0.0.1:{self._ports.http}"

    def start(self) -> None:
        """Start it, and wait until the model answers."""
        part = triton_part(self._home, self._repository, self._ports)
        log = self._home / "logs" / "triton.log"
        self._running = process.start(part, log)
        process.wait_until_ready(part, self._running, log)
        staging = self._home / "staging"
        staging.mkdir(exist_ok=True)
        triton = RealTriton("", self.address, "", self._repository, staging, log)
        if not (self._repository / ECHO).exists():
            stand.publish(triton, stand.echo_model(ECHO))
        while not stand.version_ready(triton, ECHO, 1):
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once; what it had in /dev/shm goes too."""
        if self._running is not None:
            process.stop(self._running, 0)
            self._running = None
        for left in FOLDER.glob(f"{shared_memory_prefix(self._home)}*"):
            left.unlink()


async def test_a_restarted_triton_is_given_regions_anew_and_no_answer_is_wrong(
    restartable: Restartable,
) -> None:
    await asyncio.to_thread(restartable.start)
    client = await sharing(restartable.address, restartable.http)
    before = registered(restartable.address)
    assert before
    await asyncio.to_thread(restartable.kill)
    await until(lambda: not client.status()[0].connected, within_s=30)
    await asyncio.to_thread(restartable.start)
    await until(lambda: client.status()[0].shared_memory, within_s=60)
    await share(client)
    answer = await client.infer(lane(), [ROW, 2 * ROW])
    assert np.array_equal(np.hstack(answer), np.stack([ROW, 2 * ROW]))
    after = registered(restartable.address)
    assert after
    assert not after & before
    await client.close()
    assert registered(restartable.address) == set()
