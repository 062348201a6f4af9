"""MLflow, 2.x or 3.x: what is registered, its files, and what we write back (the only importer of mlflow
besides registering.py). Its own variables for credentials, TLS, timeouts and retries pass through."""

import logging
import math
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

# Before mlflow is imported: a server that hangs must not hold a pass up for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from requests.exceptions import RequestException

from sync.desired import RegisteredModel, RegisteredVersion
from sync.errors import Refused, RegistryUnavailable
from sync.jobs import carry_out
from sync.listing import Listing, Versions

logging.getLogger("mlflow").setLevel(logging.WARNING)
# It has a line for every try of every pass; the pass says once what came of them.
logging.getLogger("urllib3").setLevel(logging.ERROR)

MODELS_PER_PAGE = 1000
VERSIONS_PER_PAGE = 10_000
LONGEST = 300
_ADDRESS = re.compile(r" object at 0x[0-9a-f]+")
PROMPT_TAG = "mlflow.prompt.is_prompt"
_CREDENTIALS = re.compile(r"(?<=://)[^\s/?#]*@")

Progress = Callable[[int, int], None]
"""Called with bytes so far and bytes in all."""


class Registry:
    """One MLflow server's registry; its versions are listed again every `versions_s` (see listing.py)."""

    def __init__(self, uri: str, versions_s: float = 0.0) -> None:
        self._uri = uri
        self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._listing = Listing(self._list_versions, versions_s)

    def models(self) -> list[RegisteredModel]:
        """Everything registered, in as many calls as there are pages.

        Raises:
            RegistryUnavailable: no answer, or an error of the server's.
        """
        with _translated("reading the registry"):
            models = [
                model
                for model in _pages(self._client.search_registered_models, MODELS_PER_PAGE)
                if PROMPT_TAG not in model.tags
            ]
            versions = self._listing.get([_mark(model) for model in models])
            return [
                RegisteredModel(
                    name=model.name,
                    aliases={alias: int(number) for alias, number in model.aliases.items()},
                    tags=dict(model.tags),
                    versions=versions.get(model.name, {}),
                )
                for model in models
            ]

    def refresh(self) -> None:
        """List the versions at the next look, whatever the models look like."""
        self._listing.refresh()

    def _list_versions(self) -> Versions:
        versions: dict[str, dict[int, RegisteredVersion]] = defaultdict(dict)
        for version in _pages(self._client.search_model_versions, VERSIONS_PER_PAGE):
            one = _version(version)
            versions[one.model][one.number] = one
        return versions

    def download(self, version: RegisteredVersion, folder: Path, progress: Progress) -> None:
        """Copy all files of a version into `folder`, piece by piece, and check that they are whole.

        Raises:
            Refused: the files are gone, or one is a link.
            RegistryUnavailable: they cannot be had now, or came cut short.
        """
        label = f"downloading {version.model} version {version.number}"
        with _translated(label):
            uri = self._client.get_model_version_download_uri(version.model, str(version.number))
            _refuse_links(uri)
            store = get_artifact_repository(uri, tracking_uri=self._uri, registry_uri=self._uri)
            store.thread_pool = _ThisThread()
            files = list(_files(store, None))
            if not files:
                raise Refused("artifact", f"its files are gone: nothing at {without_credentials(uri)}")
            total = sum(file.file_size or 0 for file in files)
            done = 0
            progress(done, total)
            for file in files:
                _download_file(store, file, folder, label)
                done += file.file_size or 0
                progress(done, total)

    def run_metrics(self, run_id: str | None) -> dict[str, float]:
        """The metrics of the run that made a version; none when there is no such run any more.

        Those that are no numbers are left out: MLflow keeps NaN, a version's record is JSON, which has none.
        """
        if run_id is None:
            return {}
        try:
            metrics = self._client.get_run(run_id).data.metrics
        except (MlflowException, RequestException):
            return {}
        return {key: float(value) for key, value in metrics.items() if math.isfinite(value)}

    def tag_version(self, model: str, number: int, tags: Mapping[str, str | None]) -> None:
        """Set tags of a version; None deletes one."""
        try:
            with _translated(f"writing tags of {model} version {number}"):
                for key, value in tags.items():
                    if value is None:
                        self._client.delete_model_version_tag(model, str(number), key)
                    else:
                        self._client.set_model_version_tag(model, str(number), key, value)
        finally:
            self.refresh()

    def tag_model(self, model: str, key: str, value: str | None) -> None:
        """Set one tag of a registered model; None deletes it."""
        with _translated(f"writing tag {key} of {model}"):
            if value is None:
                self._client.delete_registered_model_tag(model, key)
            else:
                self._client.set_registered_model_tag(model, key, value)

    def set_alias(self, model: str, alias: str, number: int) -> None:
        """Point an alias to a version."""
        with _translated(f"moving alias {alias} of {model}"):
            self._client.set_registered_model_alias(model, alias, str(number))

    def remove_alias(self, model: str, alias: str) -> None:
        """Take an alias away."""
        with _translated(f"removing alias {alias} of {model}"):
            self._client.delete_registered_model_alias(model, alias)


class _ThisThread:
    """In place of mlflow's own threads, which the process would have to wait for at its end."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Do it now."""
        outcome: Future[Any] = Future()
        carry_out(partial(work, *arguments, **named), outcome)
        return outcome


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except (MlflowException, RequestException, OSError, ValueError) as error:
        raise RegistryUnavailable(f"{doing}: {short(error)}") from error


def _pages(search: Callable[..., Any], size: int) -> Iterator[Any]:
    token: str | None = None
    while True:
        page = search(max_results=size, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _mark(model: Any) -> object:
    """What changes when a model's versions, their stages or its aliases do."""
    latest = sorted((one.version, one.current_stage) for one in model.latest_versions or ())
    return model.name, model.creation_timestamp, model.last_updated_timestamp, dict(model.aliases), latest


def _version(version: Any) -> RegisteredVersion:
    stage = version.current_stage
    return RegisteredVersion(
        model=version.name,
        number=int(version.version),
        source=version.source or "",
        created_at=version.creation_timestamp / 1000,
        model_id=getattr(version, "model_id", None) or None,
        run_id=version.run_id or None,
        stage=None if stage in (None, "None") else stage,
        tags=dict(version.tags),
    )


def _files(store: Any, folder: str | None) -> Iterator[Any]:
    """Every file below, as mlflow's FileInfo; paths that would leave the folder are refused."""
    for entry in store.list_artifacts(folder):
        path = PurePosixPath(entry.path)
        if path.is_absolute() or ".." in path.parts:
            raise Refused("artifact", f"the artifact store lists an unsafe path: {entry.path!r}")
        if entry.is_dir:
            yield from _files(store, entry.path)
        else:
            yield entry


def _download_file(store: Any, file: Any, folder: Path, label: str) -> None:
    try:
        store.download_artifacts(file.path, dst_path=str(folder))
    except (MlflowException, RequestException, OSError) as error:
        parent = str(PurePosixPath(file.path).parent)
        left = store.list_artifacts(None if parent == "." else parent)
        if file.path not in {entry.path for entry in left}:
            raise Refused("artifact", f"its file {file.path!r} is gone") from error
        raise
    size = (folder / file.path).stat().st_size
    if file.file_size is not None and size != file.file_size:
        raise RegistryUnavailable(f"{label}: {file.path!r} has {size} of {file.file_size} bytes")


def _refuse_links(uri: str) -> None:
    """An artifact store on a path could hold links to anything on this machine."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return
    for path, folders, files in os.walk(parts.path):
        for name in (*folders, *files):
            if (Path(path) / name).is_symlink():
                raise Refused("artifact", f"{name!r} among its files is a link")


def without_credentials(text: str) -> str:
    """The text with every URL in it as anybody may see it: MLflow's errors quote the one they were given."""
    return _CREDENTIALS.sub("", text)


def short(error: Exception) -> str:
    """An error's text on one line, not too long for a log or a tag, and the same each time that it happens.

    Where it is cut, its end stays: requests says last what the cause was.
    """
    text = _ADDRESS.sub("", without_credentials(" ".join(str(error).split())))
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    return text or type(error).__name__
