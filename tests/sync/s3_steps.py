"""A bucket that notes every write, and that a kill can cut off before any of them."""

from functools import cache
from pathlib import Path
from typing import Any

from sync.s3_bucket import Bucket, connect
from sync.s3_repository import S3Repository
from sync.s3_url import S3Url
from sync.staging_folder import StagingFolder


class Killed(BaseException):
    """The process is gone: nothing of it may catch this."""


class Steps(Bucket):
    """Does `left` writes, then no more; None: all of them. `done` are the keys, `-` before a deleted one."""

    def __init__(self, url: S3Url) -> None:
        super().__init__(_client(url.endpoint), url)
        self._prefix = f"{url.prefix}/"
        self.left: int | None = None
        self.done: list[str] = []

    def put(self, key: str, body: bytes) -> None:
        self._step("", key)
        super().put(key, body)

    def upload(self, key: str, file: Path) -> None:
        self._step("", key)
        super().upload(key, file)

    def delete(self, key: str) -> None:
        self._step("-", key)
        super().delete(key)

    def _step(self, sign: str, key: str) -> None:
        if self.left == 0:
            raise Killed
        self.left = None if self.left is None else self.left - 1
        self.done.append(sign + key.removeprefix(self._prefix))


def opened(url: S3Url, staging: Path) -> tuple[S3Repository, Steps]:
    """A repository as a new process opens it."""
    steps = Steps(url)
    made = S3Repository(steps, url.prefix, StagingFolder(staging))
    made.prepare()
    return made, steps


@cache
def _client(endpoint: str | None) -> Any:
    """Making one takes longer than all that a test asks of it."""
    return connect(S3Url(endpoint, "any", ""))._client
