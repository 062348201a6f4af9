"""From MLflow to a real Triton that polls object storage, by the same passes as over a folder."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync.errors import RepositoryUnavailable
from sync.s3_bucket import Bucket
from sync.s3_url import S3Url
from sync.settings import Settings
from sync.triton import Triton
from sync.tuning import Terms, tune
from tests import launch
from tests.object_store import ObjectStore
from tests.sync import models
from tests.sync.conftest import unique
from tests.sync.rig import LIMIT_S, Rig, again, rig
from tests.sync.undertaker import run_until_dead, running_undertaker

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def url(store: ObjectStore) -> S3Url:
    """A prefix with nothing but an empty lock under it, as a first sync leaves it."""
    made = store.new_prefix()
    store.put(made, "fixgate.lock", b"")
    return made


@pytest.fixture(scope="module")
def polling(url: S3Url, tmp_path_factory: pytest.TempPathFactory) -> Iterator[launch.Triton]:
    """A Triton that has no folder, only the URL that sync has."""
    with launch.triton_server(tmp_path_factory.mktemp("s3-triton"), str(url)) as running:
        yield running


@pytest.fixture
def over_s3(
    request: pytest.FixtureRequest, mlflow_uri: str, empty_redis: str, polling: launch.Triton, url: S3Url
) -> Iterator[Rig]:
    """sync over that Triton."""
    home: Path = request.getfixturevalue("tmp_path")
    with rig(unique(request.node.originalname), home, mlflow_uri, empty_redis, polling) as made:
        made.options = {"model_repository": str(url), "load_timeout_s": 30.0}
        yield made


def test_two_versions_are_published_and_one_is_retired(over_s3: Rig, store: ObjectStore, url: S3Url) -> None:
    for number in (1, 2):
        assert over_s3.register_files(models.localiser(number), "champion") == number
        over_s3.run_until(lambda number=number: over_s3.champion == number)  # type: ignore[misc]
        assert over_s3.answer(number) == pytest.approx([45.0 + 0.01 * number, 9.0], abs=1e-4)
    over_s3.settle()
    assert over_s3.ready() == [1, 2]
    assert over_s3.tags(2)["fixgate.status"] == "ready"
    alone = again(over_s3, keep=0)
    try:
        alone.settle()
        alone.run_until(lambda: alone.ready() == [2])
        assert alone.numbers == [2]
        assert alone.answer(2) == pytest.approx([45.02, 9.0], abs=1e-4)
        names = ("2/fixgate.json", "2/fixgate.npz", "2/model.onnx", "config.pbtxt")
        ours = [key for key in store.keys(url) if key.startswith(alone.name)]
        assert ours == [f"{alone.name}/{name}" for name in names]
        assert [one.version for one in alone.journal("retire")] == [1]
        assert alone.journal("refuse") == []
        terms = Terms(clients=2, seconds=0.5)
        tried = tune(alone.config, alone.name, iter([Settings(2, 1, 1)]), terms, lambda _one: None)
        assert tried[0].measured is not None, tried[0].reason
    finally:
        alone.stop()


def until(holds: Callable[[], bool]) -> None:
    """Ask until something holds."""
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)


def test_what_an_upload_left_half_done_is_not_served_and_is_cleared(
    over_s3: Rig, store: ObjectStore, url: S3Url, polling: launch.Triton
) -> None:
    over_s3.register_files(models.localiser(1), "champion")
    over_s3.settle()
    half = f"{over_s3.name}-half"
    for place in (f"{half}/1", f"{over_s3.name}/2"):
        store.put(url, f"{place}/fixgate.npz", b"first to come")
        store.put(url, f"{place}/model.onnx", models.localiser(2).SerializeToString())
    until(lambda: half in polling.log.read_text(errors="replace"))
    states = Triton(polling.http).states()
    assert over_s3.ready() == [1]
    assert not [key for key, one in states.items() if key[0] == half and one.ready]
    assert over_s3.answer(1) == pytest.approx([45.01, 9.0], abs=1e-4)
    over_s3.settle()
    assert not [key for key in store.keys(url) if key.startswith((half, f"{over_s3.name}/2"))]
    over_s3.register_files(models.localiser(2), "champion")
    over_s3.run_until(lambda: over_s3.champion == 2)


def test_a_store_that_fails_for_a_while_holds_back_nothing_that_is_served(
    over_s3: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    over_s3.register_files(models.localiser(1), "champion")
    over_s3.settle()

    def away(_self: Bucket, key: str, _file: Path | None = None) -> None:
        raise RepositoryUnavailable(f"bucket models: cannot write {key}: SlowDown")

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "upload", away)
        over_s3.register_files(models.localiser(2), "champion")
        over_s3.run_until(lambda: "SlowDown" in over_s3.tags(2).get("fixgate.reason", ""))
        assert over_s3.tags(2)["fixgate.status"] == "waiting"
        assert over_s3.champion == 1
        ready = over_s3.parts.watch.reconciler.work.progress.staged
        assert (over_s3.name, 2) in ready, "it would be downloaded again"
    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "list", away)
        over_s3.parts.watch.step()
        assert over_s3.champion == 1
    over_s3.run_until(lambda: over_s3.champion == 2)


@pytest.fixture(scope="module")
def undertaker(store: ObjectStore) -> Iterator[subprocess.Popen[str]]:
    """The process that forks a sync for every kill; it has the store's credentials."""
    with running_undertaker() as process:
        yield process


def test_killed_processes_leave_what_is_served_and_the_next_finishes(
    over_s3: Rig, undertaker: subprocess.Popen[str], store: ObjectStore, url: S3Url
) -> None:
    over_s3.register_files(models.localiser(1), "champion")
    over_s3.settle()
    over_s3.stop()
    over_s3.register_files(models.localiser(2), "champion")
    for place, when in (
        ("sync.s3_bucket:Bucket.upload", "after"),
        ("sync.s3_repository:S3Repository.add_version", "after"),
        ("sync.s3_repository:S3Repository.write_config", "after"),
    ):
        store.put(url, "fixgate.lock", b"")  # nobody waits here until the lease of the killed one runs out
        run_until_dead(undertaker, over_s3, place, when)
        assert over_s3.champion == 1
        assert over_s3.answer(1) == pytest.approx([45.01, 9.0], abs=1e-4)
    over_s3.settle()
    assert (over_s3.champion, over_s3.ready()) == (2, [1, 2])
    alone = again(over_s3, keep=0)
    try:
        alone.settle()
        assert alone.numbers == [2]
        ours = [key for key in store.keys(url) if key.startswith(f"{alone.name}/")]
        assert not [key for key in ours if key.startswith(f"{alone.name}/1/")]
        assert alone.journal("refuse") == []
    finally:
        alone.stop()
