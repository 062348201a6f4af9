"""A model repository in object storage (the only writer of it).

A single object is written whole or not at all, and that is all there is: so a version's files come first, its
record after them, and the config, the commit point, last. Whatever a kill leaves before that, nothing serves.
"""

import logging
import time
from pathlib import Path

from sync import pbtxt, record
from sync.errors import RepositoryUnavailable
from sync.pbtxt import ServingConfig
from sync.record import Record
from sync.repository import NOT_MODELS, TRIAL_PREFIX, Live, LiveModel
from sync.s3_bucket import Bucket, Listing, StoredObject
from sync.s3_layout import ModelObjects, check_key, model_objects, order_of_removal, order_of_upload
from sync.s3_lease import Lease
from sync.staging_folder import StagingFolder

log = logging.getLogger(__name__)

LOCK = "fixgate.lock"
LOOK_EVERY_S = 0.1


class S3Repository:
    """The objects under a prefix in a bucket, and a local staging folder."""

    def __init__(self, bucket: Bucket, prefix: str, staging: StagingFolder) -> None:
        self._bucket = bucket
        self._root = f"{prefix}/" if prefix else ""
        self._staging = staging
        self._lease = Lease(bucket, self._root + LOCK)
        self._read: dict[str, tuple[str, bytes]] = {}

    def lock(self) -> Lease:
        """The lease on the prefix: without it, once asked for, nothing is observed or changed."""
        return self._lease

    def prepare(self) -> None:
        """Make the staging folder, clear what a kill left in it and of uploads; the bucket has to answer.

        Raises:
            RepositoryUnavailable: the folder cannot be made, or the bucket is not there or not ours.
        """
        try:
            self._staging.path.mkdir(parents=True, exist_ok=True)
            self._staging.clear()
        except OSError as error:
            raise RepositoryUnavailable(f"{error.filename}: {error.strerror}") from error
        self._bucket.list(self._root + LOCK)
        try:
            self._bucket.abort_uploads(self._root)
        except RepositoryUnavailable as error:
            log.warning("parts of uploads that were cut off may be left: %s", error)

    def observe(self) -> Live:
        """Read what stands under the prefix: one listing, and what is new of configs and records.

        Raises:
            RepositoryUnavailable: it cannot be read, or the lease does not hold.
        """
        self._lease.check()
        listed = {one.key.removeprefix(self._root): one for one in self._bucket.list(self._root).objects}
        self._read = {key: known for key, known in self._read.items() if key in listed}
        models, foreign, unfinished = {}, [], []
        for name, objects in sorted(model_objects(listed).items()):
            if name in (*NOT_MODELS, LOCK) or name.startswith(TRIAL_PREFIX):
                continue
            model = self._observe_model(name, objects, listed)
            if model is not None:
                models[name] = model
                if objects.unfinished(model.config.versions):
                    unfinished.append(name)
            elif objects.ours_without_config:
                unfinished.append(name)
            else:
                foreign.append(name)
        return Live(models, tuple(foreign), tuple(unfinished))

    def new_folder(self, label: str) -> Path:
        """A new empty folder in staging."""
        return self._staging.new_folder(label)

    def drop(self, folder: Path) -> None:
        """Delete a folder in staging that is not needed any more."""
        self._staging.drop(folder)

    def add_model(self, config: ServingConfig, number: int, version: Path) -> None:
        """Upload a model's first version, then its config: until then Triton has no model of this name.

        Raises:
            Refused, RepositoryUnavailable: as `add_version`.
        """
        self.add_version(config.name, number, version)
        self.write_config(config)

    def add_version(self, model: str, number: int, version: Path) -> None:
        """Upload a version's files, its record last; Triton passes them over until the config names them.

        Raises:
            Refused: a file's name cannot be an object's key.
            RepositoryUnavailable: the store does not answer, or does not have what was uploaded.
        """
        place = f"{self._root}{model}/{number}/"
        files = {path.relative_to(version).as_posix(): path for path in version.rglob("*") if path.is_file()}
        for name in files:
            check_key(place, name)
        *content, last = order_of_upload(files)
        for name in content:
            self._lease.check()
            self._bucket.upload(place + name, files[name])
        wanted = {place + name: files[name].stat().st_size for name in content}
        found = {one.key: one.size for one in self._bucket.list(place).objects}
        if found != wanted:
            differing = sorted(key for key, _ in found.items() ^ wanted.items())
            raise RepositoryUnavailable(
                f"object storage does not have what was uploaded: {', '.join(differing)}"
            )
        self._put(place + last, files[last].read_bytes())

    def write_config(self, config: ServingConfig) -> None:
        """Replace a model's config by one write.

        Triton notices a change by the objects' times, which are whole seconds: the config must not be written
        in the second of the change before it, at which Triton may have looked.
        """
        place = f"{self._root}{config.name}/"
        while not _a_second_has_passed(self._bucket.list(place)):
            time.sleep(LOOK_EVERY_S)
        self._put(place + pbtxt.NAME, config.text.encode())

    def remove_version(self, model: str, number: int) -> None:
        """Delete a version's objects, its record first."""
        objects = self._model(model)
        self._remove_files(objects.versions.get(number, {}))

    def remove_model(self, model: str) -> None:
        """Delete a model's config, then every version, then what else lies there."""
        objects = self._model(model)
        if objects.config is not None:
            self._delete(objects.config)
        for names in objects.versions.values():
            self._remove_files(names)
        for key in objects.others:
            self._delete(key)

    def clear(self, model: str) -> None:
        """Delete the versions of a model that lack their record; without a config, all of sync's."""
        objects = self._model(model)
        config = self.read_config(model)
        if config is not None and config.owned:
            for number in objects.unfinished(config.versions):
                self._remove_files(objects.versions[number])
        elif objects.ours_without_config:
            self.remove_model(model)

    def read_config(self, model: str) -> ServingConfig | None:
        """The config in place, or None when there is none that can be read."""
        found = self._bucket.get(f"{self._root}{model}/{pbtxt.NAME}")
        return None if found is None else _parse_config(found.body)

    def has_version(self, model: str, number: int) -> bool:
        """Whether a version has its record, and so all of its files."""
        return self._bucket.exists(f"{self._root}{model}/{number}/{record.NAME}")

    def read_proof(self, model: str, number: int) -> bytes:
        """The version's proof.

        Raises:
            RepositoryUnavailable: it is not there, or cannot be read.
        """
        key = f"{self._root}{model}/{number}/{record.PROOF}"
        found = self._bucket.get(key)
        if found is None:
            raise RepositoryUnavailable(f"object storage has no {key} any more")
        return found.body

    def add_trial(self, config: ServingConfig, known: Record) -> None:
        """Copy a version's files within the store, as version 1 of the config's model."""
        source, place = f"{self._root}{known.model}/{known.version}/", f"{self._root}{config.name}/1/"
        for name in known.files:
            self._bucket.copy(source + name, place + name)
        self.write_config(config)

    def trials(self) -> list[str]:
        """Names of the trial models that have any object."""
        listed = self._bucket.list(self._root + TRIAL_PREFIX).objects
        return sorted(model_objects(one.key.removeprefix(self._root) for one in listed))

    def _observe_model(
        self, name: str, objects: ModelObjects, listed: dict[str, StoredObject]
    ) -> LiveModel | None:
        """One model, or None when it is not sync's; versions without a record are none unless configured."""
        body = self._content(listed, objects.config) if objects.config else None
        config = _parse_config(body) if body is not None else None
        if config is None or not config.owned:
            return None
        versions = {
            number: self._record(listed, names[record.NAME]) if record.NAME in names else None
            for number, names in sorted(objects.versions.items())
            if record.NAME in names or number in config.versions
        }
        return LiveModel(name, config, versions)

    def _record(self, listed: dict[str, StoredObject], key: str) -> Record | None:
        body = self._content(listed, key)
        try:
            return record.parse(body) if body is not None else None
        except ValueError:
            return None

    def _content(self, listed: dict[str, StoredObject], key: str) -> bytes | None:
        """A small object's bytes, read again only when it is another one."""
        known = self._read.get(key)
        if known is None or known[0] != listed[key].etag:
            found = self._bucket.get(self._root + key)
            if found is None:
                return None
            known = self._read[key] = (found.etag, found.body)
        return known[1]

    def _model(self, model: str) -> ModelObjects:
        """What stands of a model."""
        keys = [
            one.key.removeprefix(self._root) for one in self._bucket.list(f"{self._root}{model}/").objects
        ]
        return model_objects(keys).get(model, ModelObjects())

    def _remove_files(self, names: dict[str, str]) -> None:
        for name in order_of_removal(names):
            self._delete(names[name])

    def _put(self, key: str, body: bytes) -> None:
        self._lease.check()
        self._bucket.put(key, body)

    def _delete(self, key: str) -> None:
        self._lease.check()
        self._bucket.delete(self._root + key)


def _a_second_has_passed(listing: Listing) -> bool:
    newest = max((one.modified for one in listing.objects), default=None)
    return newest is None or listing.now.replace(microsecond=0) > newest.replace(microsecond=0)


def _parse_config(body: bytes) -> ServingConfig | None:
    try:
        return pbtxt.parse(body.decode())
    except (pbtxt.ConfigError, UnicodeDecodeError):
        return None
