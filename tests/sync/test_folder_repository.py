"""The model repository changes by renames of complete things only."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from sync import pbtxt, record
from sync.errors import Misconfigured, RepositoryUnavailable
from sync.folder_repository import FolderRepository
from sync.publication import retire
from tests.sync import makers
from tests.sync.makers import INPUTS, OUTPUTS, SETTINGS, registered


@pytest.fixture
def repo(tmp_path: Path) -> FolderRepository:
    made = FolderRepository(tmp_path / "models", tmp_path / "staging")
    made.prepare()
    return made


def version_folder(repo: FolderRepository, number: int) -> Path:
    folder = repo.new_folder("stage") / "version"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"weights")
    (folder / record.NAME).write_bytes(record.dump(makers.record(registered(number))))
    return folder


def config(*versions: int) -> pbtxt.ServingConfig:
    return pbtxt.render("loc", SETTINGS, INPUTS, OUTPUTS, versions)


def published(repo: FolderRepository, *numbers: int) -> None:
    repo.add_model(config(numbers[0]), numbers[0], version_folder(repo, numbers[0]))
    for number in numbers[1:]:
        repo.add_version("loc", number, version_folder(repo, number))
    repo.write_config(config(*numbers))


def test_a_published_model_is_read_back(repo: FolderRepository) -> None:
    published(repo, 1, 2)
    seen = repo.observe()
    assert seen.foreign == ()
    assert seen.models["loc"].configured == {1, 2}
    assert seen.models["loc"].versions[2] == makers.record(registered(2))


def test_a_first_version_arrives_with_its_config_in_one_rename(
    repo: FolderRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    into_root: list[str] = []
    real = os.rename

    def rename(source: Any, target: Any) -> None:
        if Path(target).is_relative_to(repo.root):
            into_root.append(str(Path(target).relative_to(repo.root)))
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    repo.add_model(config(1), 1, version_folder(repo, 1))
    assert into_root == ["loc"]


@pytest.mark.parametrize(
    "place", ["sync.folder_repository.Path.write_text", "sync.folder_repository.sync_tree"]
)
def test_a_first_version_that_cannot_be_published_stays_staged_and_nothing_else_does(
    repo: FolderRepository, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    folder = version_folder(repo, 1)
    with monkeypatch.context() as patch:
        patch.setattr(place, full)
        with pytest.raises(OSError, match="no space left"):
            repo.add_model(config(1), 1, folder)
    assert list(repo.root.iterdir()) == []
    assert list(repo.staging.iterdir()) == [folder.parent]
    repo.add_model(config(1), 1, folder)
    assert repo.observe().models["loc"].configured == {1}


def test_only_version_folders_and_the_config_stand_in_a_model(repo: FolderRepository) -> None:
    published(repo, 1, 2)
    assert sorted(path.name for path in (repo.root / "loc").iterdir()) == ["1", "2", "config.pbtxt"]


def test_everything_is_on_disk_before_it_is_renamed(
    repo: FolderRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    real_rename, real_sync = os.rename, os.fsync

    def rename(source: Any, target: Any) -> None:
        if Path(target).is_relative_to(repo.root):
            events.append("rename")
        real_rename(source, target)

    def fsync(descriptor: int) -> None:
        events.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        real_sync(descriptor)

    published(repo, 1)
    folder = version_folder(repo, 2)
    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(os, "fsync", fsync)
    repo.add_version("loc", 2, folder)
    at = events.index("rename")
    assert {"model.onnx", "fixgate.json", "version"} <= set(events[:at])
    assert events[at + 1 :] == ["loc"]


def test_versions_leave_the_config_before_their_folders_go(
    repo: FolderRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(repo, 1, 2)
    events: list[str] = []
    real = os.rename

    def rename(source: Any, target: Any) -> None:
        events.append(Path(target).name if Path(target).name == pbtxt.NAME else Path(source).name)
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    retire(repo, "loc", (1,))
    assert events == ["config.pbtxt", "1"]
    assert repo.observe().models["loc"].configured == {2}


def test_the_last_version_takes_the_model_with_it(repo: FolderRepository) -> None:
    published(repo, 1, 2)
    retire(repo, "loc", (1, 2))
    assert list(repo.root.iterdir()) == list(repo.staging.glob("fixgate-retired*")) == []


def test_retiring_what_is_gone_already_is_no_error(repo: FolderRepository) -> None:
    published(repo, 1, 2)
    repo.remove_version("loc", 1)
    retire(repo, "loc", (1,))
    retire(repo, "other", (1,))
    assert repo.observe().models["loc"].configured == {2}


def test_folders_that_sync_did_not_make_are_foreign(repo: FolderRepository) -> None:
    (repo.root / "theirs").mkdir()
    (repo.root / "theirs" / "config.pbtxt").write_text('name: "theirs"')
    (repo.root / "bare").mkdir()
    (repo.root / "broken").mkdir()
    (repo.root / "broken" / "config.pbtxt").write_text("{{{")
    (repo.root / "link").symlink_to(repo.root / "bare")
    (repo.root / "README.md").write_text("what this folder is")
    seen = repo.observe()
    assert seen.models == {}
    assert seen.foreign == ("bare", "broken", "link", "theirs")


@pytest.mark.parametrize("name", ["7.tmp", "007", "0", "x", "²"])
def test_only_plain_numbers_are_versions(repo: FolderRepository, name: str) -> None:
    published(repo, 1)
    (repo.root / "loc" / name).mkdir()
    assert set(repo.observe().models["loc"].versions) == {1}


def test_a_version_without_a_readable_record_is_seen_as_unknown(repo: FolderRepository) -> None:
    published(repo, 1)
    (repo.root / "loc/1" / record.NAME).write_text("{")
    assert repo.observe().models["loc"].versions == {1: None}


def test_a_record_is_read_again_when_the_folder_is_another_one(repo: FolderRepository) -> None:
    published(repo, 1, 2)
    assert repo.observe().models["loc"].versions[2] is not None
    repo.remove_version("loc", 2)
    folder = version_folder(repo, 2)
    other = makers.record(registered(2), digest="other")
    (folder / record.NAME).write_bytes(record.dump(other))
    repo.add_version("loc", 2, folder)
    assert repo.observe().models["loc"].versions[2] == other


def test_what_a_kill_left_in_staging_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    (staging / "fixgate-stage-1" / "version").mkdir(parents=True)
    (staging / "fixgate-config.pbtxt-1").write_text("x")
    (staging / "somebody's").mkdir()
    FolderRepository(tmp_path / "models", staging).prepare()
    assert [path.name for path in staging.iterdir()] == ["somebody's"]


def test_staging_inside_the_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="must not be inside"):
        FolderRepository(tmp_path, tmp_path / "staging").prepare()


def test_staging_on_another_mount_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(source: object, target: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(Misconfigured, match=r"different mounts.*beside the repository"):
        FolderRepository(tmp_path / "models", tmp_path / "staging").prepare()


def test_a_repository_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RepositoryUnavailable, match="file"):
        FolderRepository(tmp_path / "file" / "models", tmp_path / "staging").prepare()


def test_a_repository_that_cannot_be_read_is_unavailable(repo: FolderRepository) -> None:
    repo.root.rmdir()
    with pytest.raises(RepositoryUnavailable):
        repo.observe()


def test_the_trial_leaves_nothing_in_the_root(repo: FolderRepository) -> None:
    assert list(repo.root.iterdir()) == []
