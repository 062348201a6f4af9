"""Alias moves under load drop nothing while bad versions are refused, nor while sync is killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests import launch, switching
from tests.planes import REPOSITORY, gateway_plane
from tests.planes import Parts as Surroundings
from tests.sync import models
from tests.sync.rig import Rig
from tests.test_end_to_end import wait_until_ready

pytestmark = pytest.mark.stack

BODY = np.zeros(models.SHAPE, "<f4").tobytes()


class SyncProcess:
    """`python -m sync` with default timing; it can be killed and started again."""

    def __init__(self, rig: Rig, log: Path) -> None:
        config = rig.config
        self._log = log
        self._environment = {
            **os.environ,
            "FIXGATE_HOME": str(config.home),
            "FIXGATE_MLFLOW_URI": config.mlflow_uri,
            "FIXGATE_REDIS_URL": config.redis_url,
            "FIXGATE_MODEL_REPOSITORY": str(config.model_repository),
            "FIXGATE_STAGING": str(config.staging),
            "FIXGATE_TRITON_HTTP": ",".join(config.triton_http),
            "FIXGATE_MODELS": rig.name,
            "FIXGATE_SYNC_PORT": str(launch.free_ports(1)[0]),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sync"], cwd=REPOSITORY, env=self._environment, stderr=log
            )

    def end(self, number: signal.Signals) -> None:
        """End it with this signal."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(40)
            self._process = None


@pytest.fixture
def sync_process(sync_rig: Rig) -> Iterator[SyncProcess]:
    process = SyncProcess(sync_rig, sync_rig.home / "sync.log")
    process.start()
    yield process
    process.end(signal.SIGTERM)


@contextlib.contextmanager
def loaded(rig: Rig) -> Iterator[str]:
    """Two versions, the first the champion, behind a gateway; yields its URL."""
    rig.register_files(models.localiser(1), "champion")
    rig.register_files(models.localiser(2), "candidate")
    parts = Surroundings(rig.redis_url, rig.mlflow_uri, rig.triton, rig.home)
    with gateway_plane(parts, {"FIXGATE_DEFAULT_MODEL": rig.name}) as url:
        wait_until_ready(url, "/ready")
        wait_until_ready(url, f"/models/{rig.name}/versions/2")
        yield url


async def moved(rig: Rig, url: str, versions: list[int], before: Callable[[int], None]) -> None:
    """Move the champion to each of the versions under load, after whatever is to happen first."""
    count = iter(range(len(versions)))

    def order(version: int) -> None:
        before(next(count))
        rig.alias("champion", version)

    run = await switching.drive(url, BODY, versions, order)
    assert run.failures() == []
    assert run.strays() == []
    assert {answer.version for answer in run.answers} == {1, 2}


@pytest.mark.usefixtures("sync_process")
async def test_nothing_is_dropped_while_bad_versions_are_refused(sync_rig: Rig) -> None:
    with loaded(sync_rig) as url:
        bad = [models.localiser(3).SerializeToString()[:-40], models.localiser(4, width=5)]

        def register_bad(move: int) -> None:
            if move % 2:
                sync_rig.register_files(bad[move // 2 % 2], f"bad-{move}")

        await moved(sync_rig, url, [2, 1] * 3, register_bad)
        deadline = time.monotonic() + 30
        waiting = [3, 4, 5]
        while waiting:
            assert time.monotonic() < deadline, waiting
            waiting = [one for one in waiting if sync_rig.tags(one).get("fixgate.status") != "rejected"]


async def test_nothing_is_dropped_while_sync_is_killed_and_started_again(
    sync_rig: Rig, sync_process: SyncProcess
) -> None:
    with loaded(sync_rig) as url:

        def kill(move: int) -> None:
            if move % 2 == 0:
                sync_process.end(signal.SIGKILL)
                sync_process.start()

        await moved(sync_rig, url, [2, 1, 2], kill)
