"""The model repository: read as it is, changed by renames only (the only writer of it).

Triton polls and may look at any moment, so every change is one rename of something complete that is already
on disk: version folders first, then `config.pbtxt`, the commit point. Retiring goes the other way round.
"""

import errno
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sync import pbtxt, record
from sync.errors import Misconfigured, RepositoryUnavailable
from sync.pbtxt import ServingConfig
from sync.record import Record

TRIAL_PREFIX = "fixgate-tune-"
"""Beginning of the names of models that `fixgate tune` tries out; nobody's business but its own."""

VERSION = re.compile(r"[1-9][0-9]{0,17}")

OURS = "fixgate-"
"""Beginning of every name in staging: what a kill left over is known by it."""


@dataclass(frozen=True, slots=True)
class LiveModel:
    """One model that sync owns. A version whose record cannot be read is there as None."""

    name: str
    config: ServingConfig
    versions: Mapping[int, Record | None] = field(default_factory=dict)

    @property
    def configured(self) -> frozenset[int]:
        """Versions that Triton is told to serve and whose folder is there."""
        return frozenset(self.config.versions) & frozenset(self.versions)


@dataclass(frozen=True, slots=True)
class Live:
    """All that stands in the repository; `foreign` are entries that sync does not own."""

    models: Mapping[str, LiveModel] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()


class Repository:
    """The repository's root and the staging folder beside it, on one mount."""

    def __init__(self, root: Path, staging: Path) -> None:
        self.root = root.absolute()
        self.staging = staging.absolute()
        self._records: dict[Path, tuple[int, Record | None]] = {}

    def prepare(self) -> None:
        """Make the folders, prove that a rename from one to the other works, clear what a kill left over.

        Raises:
            Misconfigured: staging inside the root, or on another mount.
            RepositoryUnavailable: a folder cannot be made or written.
        """
        if self.staging == self.root or self.root in self.staging.parents:
            raise Misconfigured(f"FIXGATE_STAGING: {self.staging} must not be inside the model repository")
        trial = self.staging / _new_name("trial")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.staging.mkdir(parents=True, exist_ok=True)
            self._clear_staging()
            if os.stat(self.root).st_dev != os.stat(self.staging).st_dev:
                raise self._other_mount()
            trial.mkdir()
            # A file, so that Triton does not take it for a model even if it looks at this very moment.
            (trial / "file").touch()
            os.rename(trial / "file", self.root / f".{trial.name}")
            (self.root / f".{trial.name}").unlink()
            trial.rmdir()
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise self._other_mount() from error
            raise RepositoryUnavailable(f"{error.filename}: {error.strerror}") from error

    def observe(self) -> Live:
        """Read what stands in the repository.

        Raises:
            RepositoryUnavailable: it cannot be read.
        """
        models, foreign = {}, []
        try:
            for entry in sorted(self.root.iterdir()):
                model = self._observe_model(entry)
                if model is not None:
                    models[entry.name] = model
                elif entry.name != "README.md" and not entry.name.startswith(TRIAL_PREFIX):
                    foreign.append(entry.name)
        except OSError as error:
            raise RepositoryUnavailable(f"model repository: {error}") from error
        return Live(models, tuple(foreign))

    def new_folder(self, label: str) -> Path:
        """A new empty folder in staging."""
        folder = self.staging / _new_name(label)
        folder.mkdir(parents=True)
        return folder

    def drop(self, folder: Path) -> None:
        """Delete a folder in staging that is not needed any more."""
        shutil.rmtree(folder, ignore_errors=True)

    def add_model(self, config: ServingConfig, number: int, version: Path) -> None:
        """Publish a model's first version: folder and config together, in one rename."""
        folder = self.new_folder(config.name) / config.name
        folder.mkdir()
        os.rename(version, folder / str(number))
        (folder / pbtxt.NAME).write_text(config.text)
        sync_tree(folder)
        os.rename(folder, self.root / config.name)
        _sync_path(self.root)
        folder.parent.rmdir()

    def add_version(self, model: str, number: int, version: Path) -> None:
        """Put a version folder in its place; Triton passes it over until the config names it."""
        sync_tree(version)
        os.rename(version, self.root / model / str(number))
        _sync_path(self.root / model)

    def write_config(self, config: ServingConfig) -> None:
        """Replace a model's config: the commit point."""
        temporary = self.staging / _new_name(pbtxt.NAME)
        try:
            temporary.write_text(config.text)
            _sync_path(temporary)
            os.rename(temporary, self.root / config.name / pbtxt.NAME)
        except OSError:
            temporary.unlink(missing_ok=True)  # every pass tries again while the disk is full
            raise
        _sync_path(self.root / config.name)

    def remove_version(self, model: str, number: int) -> None:
        """Move a version's folder out of the root, then delete it; the config must not name it any more."""
        self._discard(self.root / model / str(number))

    def remove_model(self, model: str) -> None:
        """Move a model's folder out of the root, then delete it."""
        self._discard(self.root / model)

    def read_config(self, model: str) -> ServingConfig | None:
        """The config in place, or None when there is no such model."""
        try:
            return pbtxt.parse((self.root / model / pbtxt.NAME).read_text())
        except (FileNotFoundError, pbtxt.ConfigError):
            return None

    def version_folder(self, model: str, number: int) -> Path:
        """Where a version stands, or would stand."""
        return self.root / model / str(number)

    def _discard(self, folder: Path) -> None:
        bin_ = self.staging / _new_name("retired")
        try:
            os.rename(folder, bin_)
        except FileNotFoundError:
            return
        _sync_path(folder.parent)
        shutil.rmtree(bin_, ignore_errors=True)

    def _clear_staging(self) -> None:
        for entry in self.staging.glob(f"{OURS}*"):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _observe_model(self, folder: Path) -> LiveModel | None:
        """One folder of the root, or None when it is not sync's."""
        if not folder.is_dir() or folder.is_symlink():
            return None
        config = self.read_config(folder.name)
        if config is None or not config.owned:
            return None
        try:
            versions = {int(entry.name): self._record(entry / record.NAME) for entry in folder.iterdir()
                        if VERSION.fullmatch(entry.name) and entry.is_dir()}  # fmt: skip
        except FileNotFoundError:
            return None
        return LiveModel(folder.name, config, dict(sorted(versions.items())))

    def _record(self, path: Path) -> Record | None:
        """A version's record, read again only when the file is another one."""
        try:
            stamp = path.stat().st_mtime_ns
            known = self._records.get(path)
            if known is None or known[0] != stamp:
                known = self._records[path] = (stamp, record.parse(path.read_bytes()))
            return known[1]
        except (OSError, ValueError):
            return None

    def _other_mount(self) -> Misconfigured:
        return Misconfigured(
            f"FIXGATE_STAGING: {self.staging} and the model repository {self.root} are on different mounts, "
            "so publishing could not be one rename; name a folder beside the repository"
        )


def _new_name(label: str) -> str:
    return f"{OURS}{label}-{uuid.uuid4().hex[:8]}"


def sync_tree(folder: Path) -> None:
    """fsync every file and folder below, then the folder itself."""
    for path, _, files in os.walk(folder):
        for name in files:
            _sync_path(Path(path) / name)
        _sync_path(Path(path))


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
