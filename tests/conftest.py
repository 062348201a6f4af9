"""The real parts that the suite shares: each is started once per run, when the first test asks for it."""

import os
from collections.abc import Iterator

import pytest
import redis
from hypothesis import settings

from tests import launch

# An instance is a process of Triton's here. What `fixgate up` makes of it by itself: tests/stack/test_up.py.
os.environ.setdefault("FIXGATE_INSTANCES", "1")

# A shared machine may stall any example; time is no property of the code under test.
settings.register_profile("fixgate", deadline=None)
settings.load_profile("fixgate")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real Redis, shared by all tests."""
    with launch.redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def empty_redis(redis_url: str) -> str:
    """The same Redis, emptied."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


@pytest.fixture(scope="session")
def mlflow_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URI of a real MLflow server, shared by all tests: take model names that no other test takes."""
    with launch.mlflow_server(tmp_path_factory.mktemp("mlflow")) as uri:
        yield uri


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[launch.Triton]:
    """A real Triton in poll mode, shared by all tests: take model names that no other test takes."""
    with launch.triton_server(tmp_path_factory.mktemp("triton")) as running:
        yield running
