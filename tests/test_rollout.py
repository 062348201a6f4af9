"""A person takes a version from shadow through canary to champion and back under load: nothing fails."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np
import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from cli.main import app
from demo import shipped
from tests import launch
from tests.gateway.waiting import until
from tests.launch import Triton
from tests.planes import REPOSITORY, Parts, gateway_plane, sync_plane
from tests.test_end_to_end import wait_until_ready

pytestmark = pytest.mark.stack

NAME = "rolled-out"
CLIENTS, PAUSE_S = 100, 1.0
PATIENCE_S = 60.0
QUERY = "/predict?dtype=f32_le&cache_enabled=false"


@pytest.fixture(scope="module")
def parts(mlflow_uri: str, triton: Triton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """Version 1 is the champion, version 2 only registered."""
    home = tmp_path_factory.mktemp("rollout")
    for version in shipped.VERSIONS:
        aliases = ("--alias", "champion") if version.number == 1 else ()
        subprocess.run(
            [
                *(sys.executable, "-m", "cli", "register", str(version.model), "--name", NAME),
                *("--contract", str(version.contract), "--mlflow-uri", mlflow_uri, *aliases),
            ],
            cwd=REPOSITORY,
            check=True,
            timeout=120,
        )
    with launch.redis_server(home) as redis_url:
        yield Parts(redis_url, mlflow_uri, triton, home)


@pytest.fixture(scope="module")
def gateways(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Two gateways beside one sync."""
    other = Parts(parts.redis_url, parts.mlflow_uri, parts.triton, tmp_path_factory.mktemp("other"))
    options = {"FIXGATE_DEFAULT_MODEL": NAME}
    with (
        gateway_plane(parts, options) as first,
        gateway_plane(other, options) as second,
        sync_plane(parts, {"FIXGATE_MODELS": NAME, **options}),
    ):
        for url in (first, second):
            wait_until_ready(url)
        yield first, second


@dataclass(slots=True)
class Load:
    """Steady load on one gateway, and every answer's status and version."""

    url: str
    answers: list[tuple[int, str]] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        """Load for as long as the block lasts."""
        stop = asyncio.Event()
        connector = aiohttp.TCPConnector(limit=CLIENTS)
        async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as tasks:
            for seed in range(CLIENTS):
                tasks.create_task(self._client(session, seed, stop))
            try:
                yield self
            finally:
                stop.set()

    async def _client(self, session: aiohttp.ClientSession, seed: int, stop: asyncio.Event) -> None:
        rng = np.random.default_rng(seed)
        # A busy machine must not have requests refused.
        headers = {"Content-Type": "application/octet-stream", "X-Request-Timeout-Ms": "60000"}
        while not stop.is_set():
            body = rng.standard_normal((3, 128, 32)).astype("<f4").tobytes()
            async with session.post(self.url + QUERY, data=body, headers=headers) as answer:
                await answer.read()
                self.answers.append((answer.status, answer.headers.get("X-Model-Version", "")))
            await asyncio.sleep(PAUSE_S)

    async def until_only(self, version: str) -> None:
        """Until the last fifty answers are one version's."""
        await until(lambda: self.lately == {version}, within_s=PATIENCE_S)

    async def until_also(self, version: str) -> None:
        """Until one of the last fifty answers is this version's."""
        await until(lambda: version in self.lately, within_s=PATIENCE_S)

    @property
    def lately(self) -> set[str]:
        """The versions of the last fifty answers."""
        return {number for _, number in self.answers[-50:]}


async def fixgate(url: str, *arguments: str) -> str:
    """What a command of a person's prints; it must succeed."""
    ended = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--url", url])
    assert ended.exit_code == 0, ended.output
    return ended.output


async def test_a_version_goes_from_shadow_to_champion_and_back_under_load(
    gateways: tuple[str, str], parts: Parts
) -> None:
    first, second = gateways
    registry = MlflowClient(parts.mlflow_uri, parts.mlflow_uri)
    async with Load(first).running() as load, aiohttp.ClientSession(second) as other:

        async def told(what: str) -> Any:
            """What the gateway that is not asked to change anything says."""
            async with other.get(f"/models/{NAME}/{what}") as answer:
                return await answer.json()

        async def told_until(holds: Callable[[Any], Any], what: str = "routing") -> Any:
            async def is_told() -> bool:
                return bool(holds(await told(what)))

            await until(is_told, within_s=PATIENCE_S)
            return await told(what)

        await asyncio.to_thread(registry.set_registered_model_alias, NAME, "shadow", "2")
        compared = await told_until(lambda one: _record(one, "2").get("comparison", {}).get("count", 0) > 3)
        assert _record(compared, "2")["comparison"]["distance_m"]["median"] > 0
        assert {number for _, number in load.answers} == {"1"}

        await asyncio.to_thread(registry.set_registered_model_alias, NAME, "candidate", "2")
        await told_until(lambda one: "candidate" in one["aliases"])
        printed = await fixgate(first, "route", NAME, "champion=50", "candidate=50")
        assert "after   champion=50 candidate=50: version 1 50 %, version 2 50 %" in printed
        assert registry.get_registered_model(NAME).tags["fixgate.routing"].startswith('{"weights"')
        await told_until(lambda one: one["shares"] == {"1": 0.5, "2": 0.5})
        await load.until_also("2")
        await fixgate(first, "route", NAME, "--clear")
        await load.until_only("1")

        plan = ("--steps", "25,100", "--every", "2s", "--min-requests", "20", "--max-shift", "1000")
        printed = await fixgate(first, "rollout", NAME, "2", *plan, "--max-p95-ms", "off", "--watch")
        assert "25 % of the traffic" in printed
        assert "promoted: every step held" in printed
        await load.until_only("2")
        ended = await told_until(lambda one: one["phase"] == "promoted", "rollout")
        assert ended["reason"] == "every step held"

        async with other.post(f"/models/{NAME}/rollback") as answer:
            back = await answer.json()
        assert (back["previous_version"], back["version"]) == ("2", "1")
        await load.until_only("1")
    assert [status for status, _ in load.answers if status != 200] == []
    kinds = [one["event"] for one in (await _journal(first))]
    assert {"switch", "route", "rollout", "command"} <= set(kinds)


def _record(routing: Any, version: str) -> dict[str, Any]:
    """A version's part of GET /models/{m}/routing."""
    return next((one for one in routing.get("versions", ()) if one["version"] == version), {})


async def _journal(url: str) -> list[dict[str, Any]]:
    path = f"{url}/models/{NAME}/deployments"
    async with aiohttp.ClientSession() as session, session.get(path) as answer:
        entries: list[dict[str, Any]] = (await answer.json())["deployments"]
    return entries
