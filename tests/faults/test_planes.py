"""MLflow or sync lost, a full disk, a clock that is set: predictions go on, then the registry is followed."""

import asyncio
import contextlib
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import aiohttp
import pytest

from tests.faults.load import Load, load
from tests.faults.planes import Planes, planes
from tests.faults.world import MODEL
from tests.gateway.waiting import until

pytestmark = pytest.mark.stack

RECOVERY_S = 60.0
HOUR_S = 3600.0
Fault = Callable[[Planes], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planes]:
    """All parts, each begun before what it needs; the gateway is ready."""
    with planes(tmp_path_factory.mktemp("planes")) as made:
        for name in ("gateway", "sync", "triton", "redis", "mlflow"):
            made.parts[name].begin()
        made.mlflow.wait()
        made.promote(made.register())
        made.register()
        made.world.gateway.wait()
        yield made


async def champion(made: Planes) -> int:
    """As the gateway has it."""
    async with aiohttp.ClientSession(made.url) as session, session.get(f"/models/{MODEL}/routing") as answer:
        return int((await answer.json())["aliases"]["champion"])


async def follows(made: Planes, clients: Load, version: int | None = None) -> None:
    """Another version, the first or the second unless told, takes the traffic, and no request fails."""
    if version is None:
        version = 2 if await champion(made) == 1 else 1
    await asyncio.to_thread(made.promote, version)

    async def is_champion() -> bool:
        return await champion(made) == version

    await until(is_champion, within_s=RECOVERY_S)
    await clients.recovered(within_s=RECOVERY_S)


async def test_begun_before_what_they_need_all_parts_find_each_other(everything: Planes) -> None:
    async with load(everything.url) as clients:
        await clients.recovered(within_s=RECOVERY_S)
        await follows(everything, clients)


def killed(name: str) -> Fault:
    """Dead until the block ends."""

    @contextlib.contextmanager
    def fault(made: Planes) -> Iterator[None]:
        made.parts[name].kill()
        yield
        made.parts[name].start()

    return fault


def stopped(name: str) -> Fault:
    """Standing still until the block ends."""
    return lambda made: made.parts[name].stopped()


@pytest.mark.parametrize("name", ["mlflow", "sync"])
@pytest.mark.parametrize("fault", [killed, stopped])
async def test_without_the_control_plane_predictions_go_on_and_then_the_registry_is_followed_again(
    everything: Planes, fault: Callable[[str], Fault], name: str
) -> None:
    async with load(everything.url) as clients:
        await clients.answered(200, 50)
        with contextlib.ExitStack() as stack:
            await asyncio.to_thread(stack.enter_context, fault(name)(everything))
            await clients.answered(200, 300)
            await asyncio.to_thread(stack.close)
        await follows(everything, clients)


@pytest.mark.parametrize("most", [0, 500], ids=["nothing can be written", "little can be written"])
async def test_on_a_full_disk_what_is_served_stays_and_a_new_version_comes_once_there_is_room(
    everything: Planes, most: int
) -> None:
    pid = everything.sync.pid

    async def has(version: int, status: str) -> None:
        async def is_so() -> bool:
            return await asyncio.to_thread(everything.status, version) == status

        await until(is_so, within_s=RECOVERY_S)

    async with load(everything.url) as clients:
        before, spare = await champion(everything), await asyncio.to_thread(everything.register)
        await has(spare, "ready")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        try:
            await asyncio.to_thread(everything.let_go, spare)  # to retire it takes writing too
            version = await asyncio.to_thread(everything.register)
            await asyncio.to_thread(everything.promote, version)
            await has(version, "waiting")
            await clients.answered(200, 100)
            assert await champion(everything) == before
        finally:
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
        await has(version, "ready")
        await has(spare, "retired")
        await clients.recovered(within_s=RECOVERY_S)
    assert await champion(everything) == version


@pytest.mark.parametrize("seconds", [-5 * HOUR_S, 5 * HOUR_S], ids=["back", "forward"])
async def test_a_clock_that_is_set_and_set_right_again_disturbs_nothing(
    everything: Planes, seconds: float
) -> None:
    async with load(everything.url) as clients:
        await clients.answered(200, 100)
        for wrong in (seconds, 0.0):
            everything.set_clock(wrong)
            await clients.answered(200, 200)
            await follows(everything, clients, await asyncio.to_thread(everything.register))
