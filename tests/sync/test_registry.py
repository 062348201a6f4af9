"""What sync reads from and writes to a real MLflow."""

import base64
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sync import registry
from sync.desired import RegisteredModel, RegisteredVersion
from sync.errors import Refused, RegistryUnavailable
from sync.registry import Registry
from tests.launch import free_ports
from tests.sync.flaky import Proxy, flaky

pytestmark = pytest.mark.stack


def nothing(_done: int, _total: int) -> None:
    pass


@pytest.fixture
def client(mlflow_uri: str) -> MlflowClient:
    return MlflowClient(mlflow_uri, mlflow_uri)


@pytest.fixture
def proxy(mlflow_uri: str) -> Iterator[Proxy]:
    with flaky(mlflow_uri) as running:
        yield running


def log(client: MlflowClient, folder: Path, files: dict[str, bytes], experiment: str = "0") -> Any:
    """A run with these files under `model`."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    run = client.create_run(experiment)
    client.log_artifacts(run.info.run_id, str(folder), "model")
    return run


def version(client: MlflowClient, run: Any, **fields: Any) -> RegisteredVersion:
    """A version of a new model with that run's files, as the registry gives it back."""
    name = f"registry-{uuid.uuid4().hex[:8]}"
    client.create_registered_model(name)
    client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id, **fields)
    return found(client, name).versions[1]


def found(client: MlflowClient, name: str) -> RegisteredModel:
    return {one.name: one for one in Registry(client.tracking_uri).models()}[name]


def test_models_come_with_versions_aliases_and_tags(client: MlflowClient, tmp_path: Path) -> None:
    run = log(client, tmp_path, {"a": b"1"})
    made = version(client, run, tags={"k": "v"})
    client.set_registered_model_alias(made.model, "champion", "1")
    client.set_registered_model_tag(made.model, "team", "rf")
    model = found(client, made.model)
    assert (model.aliases, model.tags) == ({"champion": 1}, {"team": "rf"})
    one = model.versions[1]
    assert (one.number, one.tags, one.run_id, one.stage) == (1, {"k": "v"}, run.info.run_id, None)
    assert one.source.endswith("/artifacts/model")
    assert 1.6e9 < one.created_at < 1e11


def test_prompts_are_no_models(client: MlflowClient) -> None:
    name = f"prompt-{uuid.uuid4().hex[:8]}"
    client.register_prompt(name, "Where is it?")
    assert name not in {one.name for one in Registry(client.tracking_uri).models()}


def test_reading_takes_as_many_calls_as_there_are_pages(
    client: MlflowClient, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = log(client, tmp_path, {"a": b"1"})
    for _ in range(3):
        version(client, run)
    one = Registry(proxy.uri)
    one.models()
    assert len(proxy.requests) == 2
    monkeypatch.setattr(registry, "MODELS_PER_PAGE", 2)
    proxy.requests.clear()
    models = one.models()
    assert len(proxy.requests) == 1 + -(-len(models) // 2)
    assert len({model.name for model in models}) == len(models)


def test_versions_are_listed_again_only_when_something_may_have_changed(
    client: MlflowClient, proxy: Proxy, tmp_path: Path
) -> None:
    made = version(client, log(client, tmp_path, {"a": b"1"}))
    one = Registry(proxy.uri, versions_s=3600)

    def listed() -> bool:
        proxy.requests.clear()
        one.models()
        return any("model-versions" in path for path in proxy.requests)

    assert listed()
    assert not listed()
    client.set_registered_model_alias(made.model, "champion", "1")
    assert listed()
    client.create_model_version(made.model, made.source, made.run_id)
    assert listed()
    assert not listed()
    one.tag_version(made.model, 1, {"fixgate.status": "ready"})
    assert listed()
    one.refresh()
    assert listed()
    assert not listed()


FILES = {"model.onnx": b"x" * 3000, "weights/part-1.bin": b"y" * 10, "MLmodel": b"flavors: {}"}


def downloaded(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("where", ["proxied", "on a path"])
def test_all_files_are_downloaded_whole_with_progress(
    client: MlflowClient, tmp_path: Path, where: str
) -> None:
    experiment = "0"
    if where == "on a path":
        location = (tmp_path / "store").as_uri()
        experiment = client.create_experiment(f"path-{uuid.uuid4().hex[:8]}", artifact_location=location)
    made = version(client, log(client, tmp_path / "files", FILES, experiment))
    told: list[tuple[int, int]] = []
    (tmp_path / "here").mkdir()
    Registry(client.tracking_uri).download(
        made, tmp_path / "here", lambda done, total: told.append((done, total))
    )
    assert downloaded(tmp_path / "here") == FILES
    assert told[0] == (0, 3021)
    assert told[-1] == (3021, 3021)


def test_a_link_in_a_store_on_a_path_is_refused(client: MlflowClient, tmp_path: Path) -> None:
    store = tmp_path / "store"
    experiment = client.create_experiment(f"path-{uuid.uuid4().hex[:8]}", artifact_location=store.as_uri())
    made = version(client, log(client, tmp_path / "files", FILES, experiment))
    (tmp_path / "secret").write_text("not for serving")
    (next(store.rglob("weights")) / "link.bin").symlink_to(tmp_path / "secret")
    (tmp_path / "here").mkdir()
    with pytest.raises(Refused, match=r"'link\.bin' among its files is a link"):
        Registry(client.tracking_uri).download(made, tmp_path / "here", nothing)
    assert downloaded(tmp_path / "here") == {}


@pytest.mark.parametrize("mode", ["500", "half"])
def test_a_download_that_fails_is_not_the_versions_fault(
    client: MlflowClient, proxy: Proxy, tmp_path: Path, mode: Any
) -> None:
    made = version(client, log(client, tmp_path / "files", FILES))
    (tmp_path / "here").mkdir()
    one = Registry(proxy.uri)
    proxy.mode = mode
    with pytest.raises(RegistryUnavailable, match=f"downloading {made.model} version 1: "):
        one.download(made, tmp_path / "here", nothing)


def test_files_that_are_gone_are_the_versions_fault(
    client: MlflowClient, proxy: Proxy, tmp_path: Path
) -> None:
    made = version(client, log(client, tmp_path / "files", FILES))
    (tmp_path / "here").mkdir()
    one = Registry(proxy.uri)
    proxy.mode = "gone"
    with pytest.raises(Refused, match="its files are gone") as refused:
        one.download(made, tmp_path / "here", nothing)
    assert refused.value.fault == "artifact"


def test_tags_are_set_and_taken_away(client: MlflowClient, tmp_path: Path) -> None:
    made = version(client, log(client, tmp_path, {"a": b"1"}))
    one = Registry(client.tracking_uri)
    one.tag_version(made.model, 1, {"fixgate.status": "ready", "fixgate.reason": "x"})
    one.tag_version(made.model, 1, {"fixgate.reason": None})
    one.tag_model(made.model, "a", "1")
    one.tag_model(made.model, "b", "2")
    one.tag_model(made.model, "b", None)
    one.set_alias(made.model, "champion", 1)
    model = found(client, made.model)
    assert (model.tags, model.aliases) == ({"a": "1"}, {"champion": 1})
    assert model.versions[1].tags == {"fixgate.status": "ready"}


def test_the_runs_metrics_come_along_when_there_is_a_run(client: MlflowClient) -> None:
    run = client.create_run("0")
    client.log_metric(run.info.run_id, "accuracy", 0.75)
    client.log_metric(run.info.run_id, "loss", float("nan"))
    assert client.get_run(run.info.run_id).data.metrics.keys() == {"accuracy", "loss"}
    one = Registry(client.tracking_uri)
    assert one.run_metrics(run.info.run_id) == {"accuracy": 0.75}
    assert one.run_metrics("0" * 32) == {}
    assert one.run_metrics(None) == {}


@pytest.mark.parametrize("mode", ["500", "silent"])
def test_a_server_in_trouble_is_unavailable(proxy: Proxy, mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    proxy.mode = mode
    one = Registry(proxy.uri)
    with pytest.raises(RegistryUnavailable, match="reading the registry: "):
        one.models()
    with pytest.raises(RegistryUnavailable, match="moving alias champion of loc"):
        one.set_alias("loc", "champion", 1)


def test_mlflows_own_variables_for_credentials_pass_through(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "sync")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    Registry(proxy.uri).models()
    assert proxy.authorization == "Basic " + base64.b64encode(b"sync:secret").decode()


def test_a_server_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryUnavailable):
        Registry("http://127.0.0.1:1").models()


def test_an_outage_is_told_in_the_same_words_each_time_and_nobody_else_tells_of_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """So that the loop of passes, which says what is new, has one line for it."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    told = set()
    for _ in range(2):
        with pytest.raises(RegistryUnavailable) as caught:
            Registry(f"http://127.0.0.1:{free_ports(1)[0]}").models()
        told.add(re.sub(r":\d+|port=\d+", "", str(caught.value)))
    assert len(told) == 1
    assert "Connection refused" in told.pop()
    assert caplog.text == ""


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../b"])
def test_an_artifact_store_that_lists_unsafe_paths_is_refused(path: str) -> None:
    class Store:
        def list_artifacts(self, _folder: str | None) -> list[Any]:
            return [type("FileInfo", (), {"path": path, "is_dir": False})]

    with pytest.raises(Refused, match="unsafe path"):
        list(registry._files(Store(), None))


def test_credentials_are_not_in_reasons() -> None:
    assert registry.without_credentials("s3://user:secret@bucket/path") == "s3://bucket/path"
    told = registry.short(OSError("to http://me:se:cr@et@mlflow:5000/api and https://plain/a@b failed"))
    assert told == "to http://mlflow:5000/api and https://plain/a@b failed"
