"""A Redis behind Sentinels: its master dies or stands still under load; both planes go on with the next."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from redis import RedisError
from typer.testing import CliRunner

from cli.main import app
from contract import catalog as catalogs
from contract import keys
from sync.redis_client import connect
from tests.faults.load import load
from tests.faults.sentinel import OWN_PASSWORD, PASSWORD, Group, client, sentinels
from tests.faults.world import MODEL, Held, World, dependencies, world
from tests.gateway import stand
from tests.gateway.waiting import until

pytestmark = pytest.mark.stack

RECOVERY_S = 60.0
"""The Sentinels' own time to agree is in it."""

Fault = Callable[[Held], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    with sentinels(tmp_path_factory.mktemp("sentinels")) as made:
        yield made


@pytest.fixture(scope="module")
def watched(group: Group, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway that knows only the Sentinels."""
    with world(tmp_path_factory.mktemp("watched"), FIXGATE_REDIS_URL=group.url) as made:
        made.triton.start()
        stand.publish(made.served, stand.echo_model(MODEL))
        assert announce(group, 1)
        made.gateway.start()
        yield made


def announce(group: Group, revision: int) -> bool:
    """Tell the gateways what is served, by the client that sync has; whether there was a master to tell."""
    served = stand.served_model(stand.echo_model(MODEL).served(), name=MODEL)
    try:
        with connect(group.url, timeout_s=5.0) as found:
            found.set(keys.CATALOG, catalogs.dump(stand.catalogue(served, revision=revision)))
            found.publish(keys.CATALOG, str(revision))
    except RedisError:
        return False
    return True


def fixes(held: Held) -> int:
    with client(held) as found:
        return sum(1 for _ in found.scan_iter(match=f"{keys.FIXES}*", count=1000))


@contextlib.contextmanager
def killed(master: Held) -> Iterator[None]:
    """Dead until the block ends; then back, as a replica once the Sentinels have seen it."""
    master.kill()
    try:
        yield
    finally:
        master.start()


@contextlib.contextmanager
def standing_still(master: Held) -> Iterator[None]:
    """It takes connections and answers nothing; afterwards it still thinks that it is the master."""
    with master.stopped():
        yield


@pytest.mark.parametrize("fault", [killed, standing_still])
async def test_predictions_go_on_and_the_next_master_is_used(
    fault: Fault, group: Group, watched: World
) -> None:
    await asyncio.to_thread(group.wait_until_whole)
    old = group.master
    before = dependencies(watched.url)["catalogue"]["revision"]

    async def follows(revision: int) -> bool:
        found = await asyncio.to_thread(dependencies, watched.url)
        return bool(found["catalogue"]["revision"] == revision and found["catalogue"]["following"])

    async with load(watched.url) as clients:
        await clients.answered(200, 50)
        with contextlib.ExitStack() as stack:
            await asyncio.to_thread(stack.enter_context, fault(old))
            await until(lambda: group.master is not old, within_s=RECOVERY_S)
            await until(lambda: announce(group, before + 1), within_s=RECOVERY_S)
            await until(lambda: follows(before + 1), within_s=RECOVERY_S)
            written = fixes(group.master)
            await until(lambda: fixes(group.master) > written + 50, within_s=RECOVERY_S)
            assert dependencies(watched.url)["redis_cache"] == {"status": "up"}
            await asyncio.to_thread(stack.close)
        await asyncio.to_thread(group.wait_until_whole)
        assert is_replica(old)
        await until(lambda: announce(group, before + 2), within_s=RECOVERY_S)
        await until(lambda: follows(before + 2), within_s=RECOVERY_S)
        await clients.recovered(within_s=10)


def is_replica(held: Held) -> bool:
    with client(held) as asked:
        return bool(asked.info("replication")["role"] == "slave")


def test_the_command_line_clears_the_masters_cache(group: Group) -> None:
    name = f"{keys.FIXES}m:{'0' * 64}"
    with client(group.master) as master:
        master.set(name, b"a fix")
        ended = CliRunner().invoke(app, ["cache", "clear", "m", "--redis-url", group.url])
        assert ended.output == "forgot 1 fix of m\n"
        assert not master.exists(name)


def test_no_password_is_told(watched: World) -> None:
    log = watched.gateway.log.read_text()
    assert PASSWORD not in log
    assert OWN_PASSWORD not in log


@pytest.mark.parametrize(
    "url", ["redis+cluster://:pa55word@h:1", "redis+sentinel://:pa55word@h:1/"], ids=["cluster", "nameless"]
)
def test_a_url_that_cannot_be_used_ends_the_start(url: str, tmp_path: Path) -> None:
    with world(tmp_path, FIXGATE_REDIS_URL=url) as made:
        made.gateway.begin()
        assert made.gateway.running is not None
        assert made.gateway.running.wait(60) == 1
    log = made.gateway.log.read_text()
    assert "FIXGATE_REDIS_URL" in log
    assert "allowed" in log or "missing" in log
    assert "pa55word" not in log
