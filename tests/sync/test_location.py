"""Which model repository the option opens."""

import sys
from pathlib import Path

import pytest

from sync.config import Config
from sync.errors import Misconfigured
from sync.folder_repository import FolderRepository
from sync.location import open_repository
from sync.s3_repository import S3Repository


def test_a_path_opens_a_folder(tmp_path: Path) -> None:
    opened = open_repository(Config(home=tmp_path, model_repository=str(tmp_path / "models")))
    assert isinstance(opened, FolderRepository)
    assert opened.root == tmp_path / "models"


def test_a_url_opens_object_storage_and_asks_it_nothing(tmp_path: Path) -> None:
    opened = open_repository(Config(home=tmp_path, model_repository="s3://127.0.0.1:1/models/served"))
    assert isinstance(opened, S3Repository)
    assert opened.new_folder("stage").is_relative_to(tmp_path / "staging")


def test_without_boto3_the_option_and_the_extra_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "sync.s3_bucket")
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(Misconfigured, match=r"FIXGATE_MODEL_REPOSITORY: s3://models .*boto3.*fixgate\[s3\]"):
        open_repository(Config(home=tmp_path, model_repository="s3://models"))
    assert open_repository(Config(home=tmp_path))
