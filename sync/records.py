"""What gateways recorded of each version, read from Redis."""

import logging
from collections.abc import Mapping

import redis

from contract.version_record import VersionRecord, merge_windows, window_keys
from sync.redis_client import connect

log = logging.getLogger(__name__)

TIMEOUT_S = 2.0


class Records:
    """Reads records; without Redis there are none, and whoever needs some waits."""

    def __init__(self, redis_url: str) -> None:
        self._redis = connect(redis_url, timeout_s=TIMEOUT_S)
        self._said = False

    def of(self, model: str, since: float, until: float) -> Mapping[int, VersionRecord]:
        """Each version's record of the windows in [since, until], Unix seconds."""
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for key in window_keys(model, since, until):
                    pipeline.hgetall(key)
                found = merge_windows(pipeline.execute())
        except redis.RedisError as error:
            if not self._said:
                log.warning("what gateways recorded cannot be read: %s", error)
            self._said = True
            return {}
        self._said = False
        return found

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
