"""sync's tests have a Triton of their own: sync takes what it owns and does not want out of a repository."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import launch
from tests.object_store import CREDENTIALS, ObjectStore, object_store
from tests.sync.rig import Rig, rig


@pytest.fixture(scope="session")
def own_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[launch.Triton]:
    """A Triton whose repository belongs to the test that runs."""
    with launch.triton_server(tmp_path_factory.mktemp("sync-triton")) as running:
        yield running


def unique(test: str) -> str:
    """A model name that no other test has."""
    return f"{test.removeprefix('test_')[:40]}-{uuid.uuid4().hex[:6]}"


@pytest.fixture
def sync_rig(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    mlflow_uri: str,
    empty_redis: str,
    own_triton: launch.Triton,
) -> Iterator[Rig]:
    """sync over real parts, with a model name of its own."""
    with rig(unique(request.node.originalname), tmp_path, mlflow_uri, empty_redis, own_triton) as made:
        yield made


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """An S3 emulator, shared by all tests: take a prefix that no other test takes."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        with object_store(tmp_path_factory.mktemp("object-store")) as running:
            yield running
