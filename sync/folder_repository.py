"""A model repository in a folder: read as it is, changed by renames only (the only writer of it).

Every change is one rename of something complete that is already on disk.
"""

import errno
import os
import shutil
from pathlib import Path

from sync import pbtxt, record
from sync.errors import Misconfigured, RepositoryUnavailable
from sync.folder_lock import FolderLock
from sync.pbtxt import ServingConfig
from sync.record import Record
from sync.repository import NOT_MODELS, TRIAL_PREFIX, VERSION, Live, LiveModel
from sync.staging_folder import StagingFolder


class FolderRepository:
    """The repository's root and the staging folder beside it, on one mount."""

    def __init__(self, root: Path, staging: Path) -> None:
        self.root = root.absolute()
        self._staging = StagingFolder(staging)
        self.staging = self._staging.path
        self._records: dict[Path, tuple[int, Record | None]] = {}

    def lock(self) -> FolderLock:
        """The lock on the root; where folders cannot be locked, on a file in staging."""
        return FolderLock(self.root, self.staging)

    def prepare(self) -> None:
        """Make the folders, prove that a rename from one to the other works, clear what a kill left over.

        Raises:
            Misconfigured: staging inside the root, or on another mount.
            RepositoryUnavailable: a folder cannot be made or written.
        """
        if self.staging == self.root or self.root in self.staging.parents:
            raise Misconfigured(f"FIXGATE_STAGING: {self.staging} must not be inside the model repository")
        trial = self._staging.new_path("trial")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.staging.mkdir(parents=True, exist_ok=True)
            self._staging.clear()
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
                elif entry.name not in NOT_MODELS and not entry.name.startswith(TRIAL_PREFIX):
                    foreign.append(entry.name)
        except OSError as error:
            raise RepositoryUnavailable(f"model repository: {error}") from error
        return Live(models, tuple(foreign))

    def new_folder(self, label: str) -> Path:
        """A new empty folder in staging."""
        return self._staging.new_folder(label)

    def drop(self, folder: Path) -> None:
        """Delete a folder in staging that is not needed any more."""
        self._staging.drop(folder)

    def add_model(self, config: ServingConfig, number: int, version: Path) -> None:
        """Publish a model's first version: folder and config together, in one rename."""
        folder = self.new_folder(config.name) / config.name
        moved = folder / str(number)
        try:
            folder.mkdir()
            (folder / pbtxt.NAME).write_text(config.text)
            os.rename(version, moved)
            sync_tree(folder)
            os.rename(folder, self.root / config.name)
        except OSError:
            if moved.exists():
                os.rename(moved, version)  # for the next try
            self.drop(folder.parent)
            raise
        _sync_path(self.root)
        folder.parent.rmdir()

    def add_version(self, model: str, number: int, version: Path) -> None:
        """Put a version folder in its place; Triton passes it over until the config names it."""
        sync_tree(version)
        os.rename(version, self.root / model / str(number))
        _sync_path(self.root / model)

    def write_config(self, config: ServingConfig) -> None:
        """Replace a model's config: the commit point."""
        temporary = self._staging.new_path(pbtxt.NAME)
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

    def clear(self, model: str) -> None:
        """Nothing: a rename is done or it is not."""

    def has_version(self, model: str, number: int) -> bool:
        """Whether a version's folder stands there."""
        return self.version_folder(model, number).is_dir()

    def read_proof(self, model: str, number: int) -> bytes:
        """The version's proof.

        Raises:
            OSError: it cannot be read.
        """
        return (self.version_folder(model, number) / record.PROOF).read_bytes()

    def add_trial(self, config: ServingConfig, known: Record) -> None:
        """The same files, by hard links, as version 1 of the config's model."""
        source = self.version_folder(known.model, known.version)
        folder = self.new_folder("tune") / config.name
        for name in known.files:
            (folder / "1" / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(source / name, folder / "1" / name)
        (folder / pbtxt.NAME).write_text(config.text)
        os.rename(folder, self.root / config.name)
        folder.parent.rmdir()

    def trials(self) -> list[str]:
        """Names of the trial models' folders."""
        return [folder.name for folder in self.root.glob(f"{TRIAL_PREFIX}*")]

    def version_folder(self, model: str, number: int) -> Path:
        """Where a version stands, or would stand."""
        return self.root / model / str(number)

    def _discard(self, folder: Path) -> None:
        bin_ = self._staging.new_path("retired")
        try:
            os.rename(folder, bin_)
        except FileNotFoundError:
            return
        _sync_path(folder.parent)
        shutil.rmtree(bin_, ignore_errors=True)

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
