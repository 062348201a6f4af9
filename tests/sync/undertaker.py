"""Run a sync in a process that is killed at one step of its work (killed.py)."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import launch
from tests.sync.rig import Rig


@contextmanager
def running_undertaker() -> Iterator[subprocess.Popen[str]]:
    """The process that forks a sync for every kill."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.sync.killed"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def environment(made: Rig) -> dict[str, str]:
    """A rig's options as variables, for a process of its own."""
    config = made.config
    return {
        "FIXGATE_HOME": str(config.home),
        "FIXGATE_MLFLOW_URI": config.mlflow_uri,
        "FIXGATE_REDIS_URL": config.redis_url,
        "FIXGATE_MODEL_REPOSITORY": config.model_repository,
        "FIXGATE_STAGING": str(config.staging),
        "FIXGATE_TRITON_HTTP": ",".join(config.triton_http),
        "FIXGATE_MODELS": made.name,
        "FIXGATE_SYNC_PORT": str(launch.free_ports(1)[0]),
        "FIXGATE_POLL_S": "0.05",
        "FIXGATE_DRAIN_S": "0",
        "FIXGATE_THREADS": "1",
    }


def run_until_dead(undertaker: subprocess.Popen[str], made: Rig, place: str, when: str) -> None:
    """Run sync in a process that kills itself there."""
    assert undertaker.stdin is not None
    assert undertaker.stdout is not None
    undertaker.stdin.write(f"{place} {when} {json.dumps(environment(made))}\n")
    undertaker.stdin.flush()
    assert int(undertaker.stdout.readline()) == -signal.SIGKILL
