"""The registry's versions, which cost far more to list than its models: as fresh as they have to be."""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping

from sync.desired import RegisteredVersion

log = logging.getLogger(__name__)

Versions = Mapping[str, Mapping[int, RegisteredVersion]]


class Listing:
    """Versions by model and number.

    Listed at once when a model has changed (an alias, a new version, a stage) or something was written or
    announced; otherwise every `every_s`, beside the passes, so that none of them waits for it.
    """

    def __init__(self, fetch: Callable[[], Versions], every_s: float) -> None:
        self._fetch = fetch
        self._every_s = every_s
        self._lock = threading.Lock()
        self._versions: Versions = {}
        self._mark: object = None
        self._listed = -math.inf
        self._round = 0
        self._beside: threading.Thread | None = None
        self._failed = -math.inf

    def get(self, mark: object) -> Versions:
        """The versions; `mark` changes whenever a model does.

        Raises:
            Whatever `fetch` does, when they have to be listed at once.
        """
        with self._lock:
            current = self._round
            due = time.monotonic() - max(self._listed, self._failed) >= self._every_s
            at_once = mark != self._mark or self._listed == -math.inf or (due and self._every_s == 0)
        if at_once:
            self._take(current, self._fetch())
            self._mark = mark
        elif due and not (self._beside and self._beside.is_alive()):
            self._beside = threading.Thread(target=self._list_beside, args=(current,), daemon=True)
            self._beside.start()
        return self._versions

    def refresh(self) -> None:
        """List at the next look; what is being listed now may be of before."""
        with self._lock:
            self._listed = -math.inf
            self._round += 1

    def _take(self, started_in: int, versions: Versions) -> None:
        with self._lock:
            if started_in == self._round:
                self._versions = versions
                self._listed = time.monotonic()

    def _list_beside(self, started_in: int) -> None:
        try:
            self._take(started_in, self._fetch())
        except Exception as error:  # noqa: BLE001 what was listed before goes on, and is followed
            if self._failed < self._listed:
                log.warning("versions and their tags cannot be listed, aliases are still followed: %s", error)
            self._failed = time.monotonic()
