"""Steps 1 to 3: a version is made ready beside the repository, or refused with nothing left behind."""

import json
import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml

from sync import record, staging
from sync.desired import RegisteredVersion
from sync.errors import Refused, RegistryUnavailable, RepositoryUnavailable, Unavailable
from sync.jobs import Jobs, ending
from sync.publication import Stopped
from sync.staging import Limits, Order, Staged, stage
from tests.sync import models
from tests.sync.makers import SETTINGS, model, registered, wanted
from tests.sync.models import CONTRACT

LIMITS = Limits(timeout_s=60.0, memory_mb=0)


class Artifacts:
    """A registry that hands out files from a function."""

    def __init__(self, write: Callable[[Path], None], error: BaseException | None = None) -> None:
        self._write = write
        self._error = error

    def download(
        self, _version: RegisteredVersion, folder: Path, progress: Callable[[int, int], None]
    ) -> None:
        progress(0, 1000)
        self._write(folder)
        if self._error is not None:
            raise self._error
        progress(1000, 1000)

    def run_metrics(self, run_id: str | None) -> dict[str, float]:
        return {"accuracy": 0.5} if run_id else {}


def order(**tags: str) -> Order:
    desired = wanted(model(registered(3, run_id="abc", tags=tags), aliases={"champion": 3}))
    return Order(desired["loc"].versions[3], {}, SETTINGS, None, LIMITS)


def logged(folder: Path, name: str = "model.onnx", location: str | None = None) -> None:
    """What `mlflow.onnx` logs, with the ONNX file and its weights named as told."""
    document = {"flavors": {"onnx": {"data": name}}, "metadata": {"fixgate": CONTRACT}}
    (folder / "MLmodel").write_text(yaml.safe_dump(document))
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    external: dict[str, Any] = (
        {"save_as_external_data": True, "location": location, "size_threshold": 16} if location else {}
    )
    onnx.save_model(models.localiser(), folder / name, **external)
    (folder / "conda.yaml").write_text("not needed")


def seen(_done: int, _total: int) -> None:
    pass


@pytest.fixture(scope="module")
def told() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, told: list[tuple[int, int]]) -> Staged:
    folder = tmp_path_factory.mktemp("staging") / "s"
    return stage(Artifacts(logged), order(), folder, lambda done, total: told.append((done, total)))


def test_the_folder_holds_what_triton_needs_and_what_sync_knows(ready: Staged) -> None:
    assert sorted(path.name for path in ready.folder.iterdir()) == [
        "fixgate.json",
        "fixgate.npz",
        "model.onnx",
    ]
    known = record.parse((ready.folder / record.NAME).read_bytes())
    assert known == ready.record
    assert (known.version, known.run_id, known.metrics) == (3, "abc", {"accuracy": 0.5})
    assert known.digest == record.digest(record.file_digests(ready.folder, ("model.onnx",)))


def test_any_file_name_becomes_model_onnx_and_weights_keep_theirs(tmp_path: Path) -> None:
    source = Artifacts(lambda folder: logged(folder, "nets/best.onnx", "w-1.bin"))
    ready = stage(source, order(), tmp_path / "s", seen)
    assert {"model.onnx", "w-1.bin"} <= {path.name for path in ready.folder.iterdir()}
    assert set(ready.record.files) == {"model.onnx", "w-1.bin"}
    onnx.checker.check_model(str(ready.folder / "model.onnx"))


def test_the_proof_holds_rows_with_their_answers(ready: Staged) -> None:
    with np.load(ready.folder / record.PROOF, allow_pickle=False) as arrays:
        assert len(arrays["in:mel_spectrogram"]) == len(arrays["out:positions"])


def test_weights_named_like_a_file_of_ours_are_refused(tmp_path: Path) -> None:
    source = Artifacts(lambda folder: logged(folder, "net.onnx", "fixgate.json"))
    with pytest.raises(Refused, match="may not be named"):
        stage(source, order(), tmp_path / "s", seen)
    assert not (tmp_path / "s").exists()


def test_the_versions_tag_corrects_the_contract(tmp_path: Path) -> None:
    corrected = {**CONTRACT, "output": {**CONTRACT["output"], "confidence_radius_m": 7.0}}
    tags = {"fixgate.contract": json.dumps(corrected)}
    ready = stage(Artifacts(logged), order(**tags), tmp_path / "s", seen)
    assert ready.record.contract["output"]["confidence_radius_m"] == 7.0
    assert ready.record.metadata_contract == CONTRACT


@pytest.mark.parametrize(
    "error",
    [
        Refused("artifact", "gone"),
        RegistryUnavailable("500"),
        RepositoryUnavailable("full"),
        AttributeError("nobody thought of it"),
        SystemExit(1),
    ],
)
def test_whatever_goes_wrong_nothing_is_left_behind(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        stage(Artifacts(logged, error), order(), tmp_path / "s", seen)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_too_full_for_the_download_is_not_the_versions_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=staging.SPARE_BYTES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(RepositoryUnavailable, match="disk full"):
        stage(Artifacts(logged), order(), tmp_path / "s", seen)


def test_a_folder_that_cannot_be_written_is_not_the_versions_fault(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("in the way")
    with pytest.raises(RepositoryUnavailable, match="staging loc version 3"):
        stage(Artifacts(logged), order(), tmp_path / "s", seen)


class Stuck(Artifacts):
    """One whose first file comes when sync stops, and the rest never."""

    def __init__(self) -> None:
        super().__init__(logged)
        self.begun = threading.Event()
        self.given_up = threading.Event()

    def download(
        self, _version: RegisteredVersion, _folder: Path, progress: Callable[[int, int], None]
    ) -> None:
        progress(0, 1000)
        self.begun.set()
        ending().wait(60)
        try:
            progress(500, 1000)
        except Unavailable:
            self.given_up.set()
            raise


def test_a_stop_ends_a_download_blames_nobody_and_leaves_nothing_behind(tmp_path: Path) -> None:
    source, jobs = Stuck(), Jobs(lambda: None)
    jobs.start(("loc", 3), partial(stage, source, order(), tmp_path / "s", seen), publishes=False)
    assert source.begun.wait(10)
    jobs.close()
    (finished,) = jobs.collect()
    assert isinstance(finished.error, Stopped)
    assert source.given_up.wait(10)
    assert list(tmp_path.iterdir()) == []


def test_a_stop_is_nobodys_fault_whatever_it_breaks(tmp_path: Path) -> None:
    begun = threading.Event()

    def broken(_folder: Path) -> None:
        begun.set()
        ending().wait(60)
        raise Refused("artifact", "cut short")

    jobs = Jobs(lambda: None)
    work = partial(stage, Artifacts(broken), order(), tmp_path / "s", seen)
    jobs.start(("loc", 3), work, publishes=False)
    assert begun.wait(10)
    jobs.close()
    (finished,) = jobs.collect()
    assert isinstance(finished.error, Stopped)


@pytest.mark.usefixtures("ready")
def test_progress_is_told(told: list[tuple[int, int]]) -> None:
    assert told == [(0, 1000), (1000, 1000)]
