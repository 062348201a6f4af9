"""One sync per repository in object storage: a lease, kept in one object by conditional writes.

Nothing in a store ends with its owner, so the object counts only as long as it is renewed: one that has not
been written for `seconds`, by the store's own clock, may be taken over. Its owner stops changing anything
well before. The object stays when the lease is given back, empty: the prefix exists from then on, which
Triton wants.
"""

import logging
import socket
import threading
import time
import uuid
from contextlib import suppress
from datetime import timedelta

import msgspec

from sync.errors import RepositoryUnavailable
from sync.s3_bucket import Bucket

log = logging.getLogger(__name__)

SECONDS = 30.0
WHOLE_SECONDS = timedelta(seconds=1)
"""How far apart the store's times may be for nothing but rounding."""


class Lease:
    """An exclusive lease on a repository. A lease that nobody has asked for restrains nothing."""

    def __init__(self, bucket: Bucket, key: str, *, seconds: float = SECONDS) -> None:
        self._bucket = bucket
        self._key = key
        self._seconds = seconds
        self._body = msgspec.json.encode({"host": socket.gethostname(), "owner": uuid.uuid4().hex})
        self._etag: str | None = None
        self._valid_until = 0.0
        self._renewing: threading.Thread | None = None
        self._stopped = threading.Event()

    def acquire(self) -> bool:
        """Take the lease if it is free or has run out, and renew it from then on; whether it is ours now.

        Raises:
            Misconfigured: the store does not keep to conditions.
            RepositoryUnavailable: it does not answer or refuses.
        """
        if self._renewing is not None:
            return self._holds
        if not self._take():
            return False
        if self._bucket.put_if(self._key, self._body, etag=None) is not None:
            raise self._bucket.takes_no_conditions()
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._renewing.start()
        return True

    def check(self) -> None:
        """See that the lease, if it was acquired, still holds: before every change.

        Raises:
            RepositoryUnavailable: it could not be renewed in time, or another sync has it.
        """
        if self._renewing is not None and not self._holds:
            raise RepositoryUnavailable(
                f"{self._key}: the lock on the repository is not ours any more: the store did not answer for "
                "too long, or another sync has it"
            )

    def release(self) -> None:
        """Give the lease back; a store that does not answer lets it run out."""
        self._stopped.set()
        if self._renewing is not None:
            self._renewing.join()
        if self._etag is not None:
            with suppress(RepositoryUnavailable):
                self._bucket.put_if(self._key, b"", etag=self._etag)
            self._etag = None

    @property
    def _holds(self) -> bool:
        return time.monotonic() < self._valid_until

    def _renew(self) -> None:
        while not self._stopped.wait(self._seconds / 6):
            try:
                held = self._write(self._etag) if self._etag else self._take()
            except RepositoryUnavailable as error:
                log.warning("the lock on the repository cannot be renewed: %s", error)
                continue
            if not held and self._etag is not None:
                log.error("%s: another sync has taken the lock on the repository", self._key)
                self._etag, self._valid_until = None, 0.0

    def _take(self) -> bool:
        found = self._bucket.get(self._key)
        if found is None:
            return self._write(None)
        age = found.now - found.modified
        over = age > timedelta(seconds=self._seconds) + WHOLE_SECONDS
        return (found.body in (b"", self._body) or over) and self._write(found.etag)

    def _write(self, etag: str | None) -> bool:
        asked = time.monotonic()
        written = self._bucket.put_if(self._key, self._body, etag=etag)
        if written is None:
            return False
        self._etag, self._valid_until = written, asked + self._seconds * 2 / 3
        return True
