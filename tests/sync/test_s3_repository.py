"""The model repository in object storage: config last, and nothing half-done is ever served."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync import pbtxt, record
from sync.errors import Refused, RepositoryUnavailable
from sync.publication import retire
from sync.s3_bucket import connect
from sync.s3_repository import S3Repository
from sync.s3_url import S3Url
from sync.staging_folder import StagingFolder
from tests import launch
from tests.object_store import ObjectStore, object_store
from tests.sync import makers
from tests.sync.fakes import staged
from tests.sync.makers import INPUTS, OUTPUTS, SETTINGS, registered
from tests.sync.s3_steps import Steps, opened

pytestmark = pytest.mark.stack

FILES = ["fixgate.json", "fixgate.npz", "model.onnx", "weights/a.data"]


@pytest.fixture
def url(store: ObjectStore) -> S3Url:
    return store.new_prefix()


@pytest.fixture
def both(url: S3Url, tmp_path: Path) -> tuple[S3Repository, Steps]:
    return opened(url, tmp_path / "staging")


@pytest.fixture
def repo(both: tuple[S3Repository, Steps]) -> S3Repository:
    return both[0]


def version(repo: S3Repository, number: int) -> Path:
    folder = staged(repo, number)
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "weights").mkdir()
    (folder / "weights/a.data").write_bytes(b"weights")
    return folder


def config(*versions: int) -> pbtxt.ServingConfig:
    return pbtxt.render("loc", SETTINGS, INPUTS, OUTPUTS, versions)


def published(repo: S3Repository, *numbers: int) -> None:
    repo.add_model(config(numbers[0]), numbers[0], version(repo, numbers[0]))
    for number in numbers[1:]:
        repo.add_version("loc", number, version(repo, number))
    if len(numbers) > 1:
        repo.write_config(config(*numbers))


def test_a_published_model_is_read_back_by_another_process(
    repo: S3Repository, url: S3Url, tmp_path: Path
) -> None:
    published(repo, 1, 2)
    seen = opened(url, tmp_path / "another")[0].observe()
    assert (seen.foreign, seen.unfinished) == ((), ())
    assert seen.models["loc"].configured == {1, 2}
    assert seen.models["loc"].versions[2] == makers.record(registered(2))
    assert repo.read_proof("loc", 2)


def test_files_come_first_then_the_record_then_the_config(both: tuple[S3Repository, Steps]) -> None:
    repo, steps = both
    published(repo, 1, 2)
    arriving = ["fixgate.npz", "model.onnx", "weights/a.data", "fixgate.json"]
    first, second = [f"loc/1/{name}" for name in arriving], [f"loc/2/{name}" for name in arriving]
    assert steps.done == [*first, "loc/config.pbtxt", *second, "loc/config.pbtxt"]


def test_versions_leave_the_config_before_their_files_go_and_the_record_is_the_first_of_those(
    both: tuple[S3Repository, Steps],
) -> None:
    repo, steps = both
    published(repo, 1, 2)
    steps.done.clear()
    retire(repo, "loc", (1,))
    leaving = ["fixgate.json", "weights/a.data", "model.onnx", "fixgate.npz"]
    assert steps.done == ["loc/config.pbtxt", *(f"-loc/1/{name}" for name in leaving)]
    assert repo.observe().models["loc"].configured == {2}


def test_the_last_version_takes_the_model_with_it_the_config_first(
    both: tuple[S3Repository, Steps], store: ObjectStore, url: S3Url
) -> None:
    repo, steps = both
    published(repo, 1)
    store.put(url, "loc/", b"")  # as some tools make folders
    steps.done.clear()
    retire(repo, "loc", (1,))
    assert steps.done[0] == "-loc/config.pbtxt"
    assert store.keys(url) == []


def test_retiring_what_is_gone_already_is_no_error(repo: S3Repository) -> None:
    published(repo, 1, 2)
    repo.remove_version("loc", 1)
    retire(repo, "loc", (1,))
    retire(repo, "other", (1,))
    assert repo.observe().models["loc"].configured == {2}


def test_no_config_is_written_in_the_second_of_the_change_before_it(
    repo: S3Repository, store: ObjectStore, url: S3Url
) -> None:
    published(repo, 1)
    for _ in range(3):
        repo.write_config(config(1))
        listed = store.client.list_objects_v2(Bucket=url.bucket, Prefix=f"{url.prefix}/loc/")["Contents"]
        times = {one["Key"].rpartition("/")[2]: one["LastModified"].replace(microsecond=0) for one in listed}
        assert times.pop("config.pbtxt") > max(times.values())


def test_what_sync_did_not_make_is_foreign_and_not_touched(
    repo: S3Repository, store: ObjectStore, url: S3Url
) -> None:
    theirs = {
        "theirs/config.pbtxt": b'name: "theirs"',
        "theirs/1/model.onnx": b"x",
        "bare/1/model.onnx": b"x",
        "broken/config.pbtxt": b"{{{",
        "binary/config.pbtxt": b"\xff\xfe",
        "notes.txt": b"x",
    }
    for key, body in {**theirs, "README.md": b"what this is"}.items():
        store.put(url, key, body)
    seen = repo.observe()
    assert (seen.models, seen.unfinished) == ({}, ())
    assert seen.foreign == ("bare", "binary", "broken", "notes.txt", "theirs")
    for name in seen.foreign:
        repo.clear(name)
    assert set(theirs) <= set(store.keys(url))


def test_a_record_that_cannot_be_read_is_seen_as_unknown_and_a_new_one_is_read(
    repo: S3Repository, store: ObjectStore, url: S3Url
) -> None:
    published(repo, 1, 2)
    assert repo.observe().models["loc"].versions[1] is not None
    store.put(url, "loc/1/fixgate.json", b"{")
    other = makers.record(registered(2), digest="other")
    store.put(url, "loc/2/fixgate.json", record.dump(other))
    assert repo.observe().models["loc"].versions == {1: None, 2: other}


def test_a_configured_version_whose_record_is_gone_is_unknown_and_not_cleared(
    repo: S3Repository, store: ObjectStore, url: S3Url
) -> None:
    published(repo, 1, 2)
    store.client.delete_object(Bucket=url.bucket, Key=f"{url.prefix}/loc/2/fixgate.json")
    seen = repo.observe()
    assert seen.models["loc"].versions[2] is None
    assert seen.unfinished == ()
    repo.clear("loc")
    assert "loc/2/model.onnx" in store.keys(url)
    assert not repo.has_version("loc", 2)


def test_a_version_of_which_not_everything_arrived_gets_no_record(
    both: tuple[S3Repository, Steps], store: ObjectStore, url: S3Url, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, steps = both
    published(repo, 1)
    real = steps.upload

    def lossy(key: str, file: Path) -> None:
        if file.name == "model.onnx":
            file.write_bytes(b"gra")
            real(key, file)
            file.write_bytes(b"graph")
        else:
            real(key, file)

    monkeypatch.setattr(steps, "upload", lossy)
    with pytest.raises(RepositoryUnavailable, match=r"does not have what was uploaded: .*loc/2/model\.onnx"):
        repo.add_version("loc", 2, version(repo, 2))
    seen = repo.observe()
    assert seen.models["loc"].configured == {1}
    assert seen.unfinished == ("loc",)
    repo.clear("loc")
    assert sorted(store.keys(url)) == [*(f"loc/1/{name}" for name in FILES), "loc/config.pbtxt"]


@pytest.mark.parametrize(
    ("name", "said"), [("a b.data", "letters, digits"), ("/".join(["d" * 200] * 5), "longer than 1024 bytes")]
)
def test_a_file_that_can_have_no_key_is_refused_before_anything_is_uploaded(
    repo: S3Repository, store: ObjectStore, url: S3Url, name: str, said: str
) -> None:
    folder = version(repo, 1)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x")
    with pytest.raises(Refused, match=said) as refused:
        repo.add_model(config(1), 1, folder)
    assert refused.value.fault == "external_data"
    assert store.keys(url) == []


def test_uploads_that_a_kill_cut_off_are_thrown_away_and_nobody_elses(
    store: ObjectStore, url: S3Url, tmp_path: Path
) -> None:
    for key in (f"{url.prefix}/loc/1/model.onnx", "elsewhere"):
        store.client.create_multipart_upload(Bucket=url.bucket, Key=key)
    (tmp_path / "staging/fixgate-stage-1").mkdir(parents=True)
    opened(url, tmp_path / "staging")
    left = store.client.list_multipart_uploads(Bucket=url.bucket)["Uploads"]
    assert [one["Key"] for one in left] == ["elsewhere"]
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_file_of_several_parts_arrives_whole(repo: S3Repository, store: ObjectStore, url: S3Url) -> None:
    folder = version(repo, 1)
    (folder / "model.onnx").write_bytes(b"0123456789" * 2_000_000)
    repo.add_model(config(1), 1, folder)
    head = store.client.head_object(Bucket=url.bucket, Key=f"{url.prefix}/loc/1/model.onnx")
    assert head["ContentLength"] == 20_000_000
    assert "-" in head["ETag"], "it was not sent in parts"


def test_a_trial_is_a_copy_that_nobody_takes_for_a_model(
    repo: S3Repository, store: ObjectStore, url: S3Url
) -> None:
    published(repo, 1)
    name = "fixgate-tune-1"
    repo.add_trial(pbtxt.trial(config(1), name, SETTINGS), makers.record(registered(1)))
    assert repo.trials() == [name]
    assert {f"{name}/1/model.onnx", f"{name}/config.pbtxt"} <= set(store.keys(url))
    assert set(repo.observe().models) == {"loc"}
    assert repo.observe().unfinished == ()
    repo.remove_model(name)
    assert repo.trials() == []


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.s3_bucket.ATTEMPTS", 1)


def unprepared(url: S3Url, folder: Path) -> S3Repository:
    return S3Repository(connect(url), url.prefix, StagingFolder(folder / "staging"))


@pytest.mark.usefixtures("store", "fast")
def test_a_store_that_does_not_answer_is_unavailable_by_name(tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{launch.free_ports(1)[0]}"
    repo = unprepared(S3Url(endpoint, "models", "served"), tmp_path)
    with pytest.raises(RepositoryUnavailable, match=rf"{endpoint}, bucket models: cannot list served/"):
        repo.prepare()
    for asked in (repo.observe, lambda: repo.read_config("loc"), lambda: repo.has_version("loc", 1)):
        with pytest.raises(RepositoryUnavailable, match=r"cannot .* served/"):
            asked()


def test_a_bucket_that_is_not_there_is_unavailable_and_what_to_do_is_said(
    store: ObjectStore, tmp_path: Path
) -> None:
    repo = unprepared(S3Url(store.endpoint, "nowhere", "served"), tmp_path)
    with pytest.raises(
        RepositoryUnavailable, match=r"bucket nowhere.*NoSuchBucket.*FIXGATE_MODEL_REPOSITORY"
    ):
        repo.prepare()
    with pytest.raises(RepositoryUnavailable, match="NoSuchBucket"):
        repo.write_config(config(1))


@pytest.fixture(scope="module")
def strict(store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A store that knows nobody."""
    with object_store(tmp_path_factory.mktemp("strict"), INITIAL_NO_AUTH_ACTION_COUNT="0") as running:
        yield running


def test_wrong_credentials_are_unavailable_and_the_variables_are_named(
    strict: ObjectStore, tmp_path: Path
) -> None:
    repo = unprepared(S3Url(strict.endpoint, "models", "served"), tmp_path)
    with pytest.raises(
        RepositoryUnavailable, match=r"cannot list served/.*InvalidAccessKeyId.*AWS_ACCESS_KEY_ID"
    ):
        repo.prepare()


@pytest.mark.usefixtures("store")
def test_no_credentials_at_all_are_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    repo: Any = unprepared(S3Url("http://127.0.0.1:1", "models", ""), tmp_path)
    with pytest.raises(RepositoryUnavailable, match=r"bucket models.*credentials"):
        repo.prepare()
