"""What a first start registers, and when it does not, against a real registry."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from stack.first_models import versions

# `fixgate register --help` ends with status 0 and says "Usage": a registration that can be counted.
COUNTED = ["--help"]


def run(marker: Path, uri: str, name: str, *lists: list[str]) -> tuple[int, int]:
    """Exit status, and how many registrations were tried."""
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "stack.first_models", str(marker), uri, name, json.dumps(lists)],
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, (ended.stdout + ended.stderr).count("Usage:")


def post(uri: str, path: str, document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{uri}/api/2.0/mlflow/{path}", body, headers)
    urllib.request.urlopen(request, timeout=30).close()


@pytest.fixture
def one_version(mlflow_uri: str) -> str:
    """A model with one version: a first start that was interrupted."""
    name = "first-models-interrupted"
    if versions(mlflow_uri, name) == 0:
        post(mlflow_uri, "registered-models/create", {"name": name})
        post(mlflow_uri, "model-versions/create", {"name": name, "source": "s3://bucket/model"})
    return name


def test_all_are_registered_where_there_are_none(tmp_path: Path, mlflow_uri: str) -> None:
    marker = tmp_path / "marker"
    assert versions(mlflow_uri, "first-models-none") == 0
    assert run(marker, mlflow_uri, "first-models-none", COUNTED, COUNTED) == (0, 2)
    assert marker.exists()


def test_an_interrupted_first_start_goes_on_where_it_ended(
    tmp_path: Path, mlflow_uri: str, one_version: str
) -> None:
    assert run(tmp_path / "marker", mlflow_uri, one_version, COUNTED, COUNTED) == (0, 1)


def test_a_version_that_the_user_deleted_does_not_come_back(
    tmp_path: Path, mlflow_uri: str, one_version: str
) -> None:
    (tmp_path / "marker").touch()
    assert run(tmp_path / "marker", mlflow_uri, one_version, COUNTED, COUNTED) == (0, 0)


def test_a_registration_that_fails_is_tried_at_the_next_start(tmp_path: Path, mlflow_uri: str) -> None:
    marker = tmp_path / "marker"
    status, tried = run(marker, mlflow_uri, "first-models-fails", ["no-such-file.onnx", "--name=x"], COUNTED)
    assert status == 2
    assert tried == 1
    assert not marker.exists()
