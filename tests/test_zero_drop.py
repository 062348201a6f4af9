"""Champions change under load without one failed request, and never answer out of turn."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from mlflow import MlflowClient

from demo import shipped
from tests import launch, switching
from tests.launch import Triton
from tests.planes import REPOSITORY, Parts, gateway_plane, sync_plane
from tests.test_end_to_end import wait_until_ready

pytestmark = pytest.mark.stack

NAME = "zero-drop"
MOVES = 20


@pytest.fixture(scope="module")
def parts(mlflow_uri: str, triton: Triton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    home = tmp_path_factory.mktemp("zero-drop")
    for version in shipped.VERSIONS:
        aliases = ("--alias", "champion") if version.number == 1 else ("--tag", "fixgate.serve=true")
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


@pytest.fixture
def gateway(parts: Parts) -> Iterator[str]:
    """A gateway and a sync that serve both versions."""
    options = {"FIXGATE_MODELS": NAME, "FIXGATE_DEFAULT_MODEL": NAME}
    with gateway_plane(parts, {"FIXGATE_DEFAULT_MODEL": NAME}) as url, sync_plane(parts, options):
        wait_until_ready(url, "/ready")
        wait_until_ready(url, f"/models/{NAME}/versions/2")
        yield url


async def test_twenty_moves_under_load_drop_nothing(gateway: str, parts: Parts) -> None:
    client = MlflowClient(parts.mlflow_uri, parts.mlflow_uri)
    body = np.random.default_rng(0).standard_normal((3, 128, 32)).astype("<f4").tobytes()
    run = await switching.drive(
        gateway,
        body,
        [2, 1] * (MOVES // 2),
        lambda version: client.set_registered_model_alias(NAME, "champion", str(version)),
    )
    assert not run.failures()
    assert not run.strays()
    assert len(run.moves) == MOVES
    assert {answer.version for answer in run.answers} == {1, 2}
