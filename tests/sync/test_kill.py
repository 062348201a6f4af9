"""kill -9 at every step: what Triton serves goes on, and the next sync finishes."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests import launch
from tests.sync import models
from tests.sync.rig import Rig, rig
from tests.sync.undertaker import run_until_dead, running_undertaker

pytestmark = pytest.mark.stack

PUBLISHING = [
    # step 1 to 3: in staging
    ("sync.registry:Registry.download", "before"),
    ("sync.registry:Registry.download", "after"),
    ("sync.preflight:run", "after"),
    ("sync.work:stage", "after"),
    # step 4: the version in its place, step 5: the config that names it
    ("sync.folder_repository:FolderRepository.add_version", "before"),
    ("sync.folder_repository:FolderRepository.add_version", "after"),
    ("sync.folder_repository:FolderRepository.write_config", "after"),
    # step 6 and 7: ready and proved
    ("sync.publication:Publisher._wait", "after"),
    ("sync.publication:Publisher._prove", "after"),
    # step 8: catalogue, then what MLflow is told
    ("sync.feed:Feed._write_file", "after"),
    ("sync.feed:Feed._write_redis", "after"),
    ("sync.registry:Registry.tag_version", "after"),
    ("sync.registry:Registry.tag_model", "after"),
]
RETIRING = [
    # step 9: out of the config, then out of the root, then deleted
    ("sync.work:retire", "before"),
    ("sync.folder_repository:FolderRepository.remove_version", "before"),
    ("sync.folder_repository:FolderRepository.remove_version", "after"),
]


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, mlflow_uri: str, redis_url: str, own_triton: launch.Triton
) -> Iterator[Rig]:
    """A champion that is served."""
    home = tmp_path_factory.mktemp("killed")
    with rig(f"killed-{os.getpid()}", home, mlflow_uri, redis_url, own_triton) as made:
        add(made, "champion")
        made.settle()
        yield made


@pytest.fixture(scope="module")
def undertaker() -> Iterator[subprocess.Popen[str]]:
    """The process that forks a sync for every kill."""
    with running_undertaker() as process:
        yield process


def latitude(number: int) -> float:
    """What a version answers for zeros: it was made with its number as seed."""
    return 45.0 + 0.01 * number


def check_still_serving(made: Rig, champion: int) -> None:
    """The champion that the gateways were told of answers, whichever it is by now."""
    now = made.champion
    assert now is not None
    assert now >= champion
    assert made.answer(now) == pytest.approx([latitude(now), 9.0], abs=1e-4)


def check_finished(made: Rig, champion: int, others: set[int]) -> None:
    """The next sync did what was left, and nothing lies about."""
    made.settle()
    assert made.champion == champion
    assert set(made.numbers) == others | {champion}
    root = made.triton.repository / made.name
    assert {path.name for path in root.iterdir()} == {"config.pbtxt", *map(str, made.numbers)}
    assert [path.name for path in made.config.staging_folder.iterdir()] == []
    assert made.tags(champion)["fixgate.status"] == "ready"
    assert made.journal("refuse") == []
    assert [one.version for one in made.journal("switch") if one.alias == "champion"][-1] == champion
    made.run_until(lambda: made.ready() == sorted(made.numbers))


def add(made: Rig, *aliases: str) -> int:
    """Register the next version."""
    made.last_number += 1
    assert made.register_files(models.localiser(made.last_number), *aliases) == made.last_number
    return made.last_number


@pytest.mark.parametrize(("place", "when"), PUBLISHING)
def test_a_kill_while_publishing_leaves_what_is_served_and_the_next_sync_finishes(
    served: Rig, undertaker: subprocess.Popen[str], place: str, when: str
) -> None:
    champion = served.champion
    assert champion is not None
    served.stop()
    number = add(served, "champion")
    run_until_dead(undertaker, served, place, when)
    check_still_serving(served, champion)
    check_finished(served, number, {champion})


@pytest.mark.parametrize(("place", "when"), RETIRING)
def test_a_kill_while_retiring_leaves_what_is_served_and_the_next_sync_finishes(
    served: Rig, undertaker: subprocess.Popen[str], place: str, when: str
) -> None:
    champion = served.champion
    assert champion is not None
    extra = add(served, "extra")
    served.run_until(lambda: extra in served.numbers)
    served.settle()
    kept = set(served.numbers) - {extra}
    served.stop()
    served.client.delete_registered_model_alias(served.name, "extra")
    run_until_dead(undertaker, served, place, when)
    check_still_serving(served, champion)
    check_finished(served, champion, kept)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_while_a_first_version_is_published_leaves_no_half_model(
    sync_rig: Rig, undertaker: subprocess.Popen[str], when: str
) -> None:
    number = add(sync_rig, "champion")
    run_until_dead(undertaker, sync_rig, "sync.folder_repository:FolderRepository.add_model", when)
    folder = sync_rig.triton.repository / sync_rig.name
    assert folder.exists() == (when == "after")
    check_finished(sync_rig, number, set())
