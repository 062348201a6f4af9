"""sync's tests have a Triton of their own: sync takes what it owns and does not want out of a repository."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import launch
from tests.sync.rig import Rig, rig


@pytest.fixture(scope="session")
def own_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[launch.Triton]:
    """A Triton whose repository belongs to the test that runs."""
    with launch.triton_server(tmp_path_factory.mktemp("sync-triton")) as running:
        yield running


@pytest.fixture
def sync_rig(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    mlflow_uri: str,
    empty_redis: str,
    own_triton: launch.Triton,
) -> Iterator[Rig]:
    """sync over real parts, with a model name of its own."""
    name = request.node.name.removeprefix("test_")[:60].replace("[", "-").rstrip("]")
    with rig(name, tmp_path, mlflow_uri, empty_redis, own_triton) as made:
        yield made
