"""What the gateways read, in Redis: the catalogue (and a file at home), the journal's newest entries."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import redis

from contract import catalog as catalogs
from contract import deployment, keys
from contract.catalog import Catalog, ServedModel
from contract.deployment import Deployment
from sync.redis_client import connect

log = logging.getLogger(__name__)

JOURNAL_LENGTH = 1000
TIMEOUT_S = 2.0


class Feed:
    """The last catalogue, in Redis and in a file: whichever is newer counts at start.

    Attributes:
        told: whether the last catalogue is known to have reached Redis, and so the gateways.
    """

    def __init__(self, redis_url: str, path: Path, default_model: str | None) -> None:
        self._redis = connect(redis_url, timeout_s=TIMEOUT_S)
        self._path = path
        self._default_model = default_model
        self.last = self._read_file()
        self.connected = False
        self.told = False

    def start(self) -> None:
        """Take over a newer catalogue from Redis, if there is one that can be read."""
        found = self._read_redis()
        if found is not None and (self.last is None or found.revision > self.last.revision):
            self.last = found
            self.told = True

    def update(self, models: Mapping[str, ServedModel], now: float) -> bool:
        """Publish these models under a new revision if they differ from the last; whether they do."""
        default = self._default(models)
        last = self.last
        if last and last.schema == SCHEMA and last.models == models and last.default_model == default:
            self._keep_in_redis(last, now)
            return False
        found = self._read_redis()
        newest = max(last.revision if last else 0, found.revision if found else 0)
        self._write(Catalog(SCHEMA, catalogs.next_revision(newest, now), now, dict(models), default))
        return True

    def add_to_journal(self, entry: Deployment) -> None:
        """Copy a journal entry to Redis; without Redis, it stays in the file only."""
        try:
            self._redis.xadd(
                keys.JOURNAL, {"entry": deployment.dump(entry)}, maxlen=JOURNAL_LENGTH, approximate=True
            )
        except redis.RedisError as error:
            log.warning("journal entry not copied to Redis: %s", error)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _default(self, models: Mapping[str, ServedModel]) -> str | None:
        """What was told; else what it has been, so that a second model takes `/predict` from nobody."""
        if self._default_model:
            return self._default_model
        if self.last is not None and self.last.default_model in models:
            return self.last.default_model
        return next(iter(models)) if len(models) == 1 else None

    def _keep_in_redis(self, last: Catalog, now: float) -> None:
        """Write the catalogue again when Redis has lost it, or has another one."""
        found = self._read_redis()
        if not self.connected:
            return
        if found is None or found.revision < last.revision:
            log.info("Redis does not have catalogue revision %d: publishing it again", last.revision)
            self._write_redis(last)
        elif found.revision > last.revision:
            log.error(
                "Redis has a catalogue of another sync (revision %d): two of them must not share one Redis. "
                "Publishing ours again",
                found.revision,
            )
            revision = catalogs.next_revision(found.revision, now)
            self._write(msgspec.structs.replace(last, revision=revision, written_at=now))
        else:
            self.told = True

    def _write(self, catalog: Catalog) -> None:
        self.last = catalog
        self._write_file(catalog)
        self._write_redis(catalog)

    def _read_redis(self) -> Catalog | None:
        try:
            document = self._redis.get(keys.CATALOG)
            self.connected = True
            return catalogs.parse(document) if isinstance(document, bytes) else None
        except redis.RedisError as error:
            if self.connected:
                log.warning("Redis: %s", error)
            self.connected = False
            return None
        except catalogs.CatalogError as error:
            log.warning("the catalogue in Redis is unreadable: %s", error)
            return None

    def _write_redis(self, catalog: Catalog) -> None:
        self.told = False
        try:
            with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.set(keys.CATALOG, catalogs.dump(catalog))
                pipeline.publish(keys.CATALOG, str(catalog.revision))
                pipeline.execute()
            self.connected = self.told = True
        except redis.RedisError as error:
            self.connected = False
            log.warning("catalogue revision %d not in Redis yet: %s", catalog.revision, error)

    def _read_file(self) -> Catalog | None:
        try:
            return catalogs.parse(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, catalogs.CatalogError) as error:
            log.warning("%s: %s", self._path, error)
            return None

    def _write_file(self, catalog: Catalog) -> None:
        temporary = self._path.with_suffix(".new")
        try:
            with temporary.open("wb") as file:
                file.write(catalogs.dump(catalog))
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, self._path)
        except OSError as error:
            log.warning("catalogue revision %d is in Redis only: %s", catalog.revision, error)


SCHEMA = f"{catalogs.MAJOR}.{catalogs.MINOR}"
