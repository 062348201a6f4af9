"""SIGTERM: sync gives up what takes long, and ends with nothing half-done."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.sync import models
from tests.sync.flaky import flaky
from tests.sync.rig import Rig
from tests.sync.test_preflight import endless
from tests.sync.undertaker import environment

pytestmark = pytest.mark.stack


@contextlib.contextmanager
def running(made: Rig, **options: str) -> Iterator[subprocess.Popen[str]]:
    """sync in a process of its own."""
    variables = {**os.environ, **environment(made), **options}
    with subprocess.Popen(
        [sys.executable, "-m", "sync"], env=variables, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def check_ended(made: Rig, process: subprocess.Popen[str]) -> None:
    """It ends well, leaves nothing in staging, and blames no version."""
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 0, told
    assert list(made.config.staging_folder.iterdir()) == []
    assert made.journal("refuse") == []
    assert "fixgate.status" not in made.tags(1)


def test_a_download_that_hangs_is_given_up(sync_rig: Rig) -> None:
    sync_rig.register_files(models.localiser(1), "champion")
    with flaky(sync_rig.mlflow_uri) as proxy:
        proxy.mode = "stuck"
        options = {"FIXGATE_MLFLOW_URI": proxy.uri, "MLFLOW_HTTP_REQUEST_TIMEOUT": "600"}
        with running(sync_rig, **options) as process:
            assert proxy.stuck.wait(60)
            check_ended(sync_rig, process)


def test_a_trial_that_hangs_is_given_up(sync_rig: Rig) -> None:
    sync_rig.register_files(endless(), "champion")
    with running(sync_rig, FIXGATE_PREFLIGHT_TIMEOUT_S="600") as process:
        deadline = time.monotonic() + 60
        while not list(sync_rig.config.staging_folder.glob("*/finding.log")):
            assert time.monotonic() < deadline
        check_ended(sync_rig, process)
