"""An S3 emulator (moto's server) as a process: real requests, and conditions kept as S3 keeps them."""

import contextlib
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from stack.part import LOOPBACK, Part, http_ok
from sync.s3_url import S3Url
from tests import launch

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class ObjectStore:
    """A running store: `endpoint` is its URL, `client` is it as a person uses it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.client: Any = boto3.Session().client("s3", endpoint_url=endpoint)

    def new_prefix(self) -> S3Url:
        """A prefix in a bucket that nobody else uses."""
        bucket = f"models-{uuid.uuid4().hex[:8]}"
        self.client.create_bucket(Bucket=bucket)
        return S3Url(self.endpoint, bucket, "fixgate/served")

    def keys(self, url: S3Url) -> list[str]:
        """What is under the prefix."""
        listed = self.client.list_objects_v2(Bucket=url.bucket, Prefix=f"{url.prefix}/").get("Contents", [])
        return [one["Key"].removeprefix(f"{url.prefix}/") for one in listed]

    def put(self, url: S3Url, key: str, body: bytes) -> None:
        """Write an object under the prefix behind sync's back."""
        self.client.put_object(Bucket=url.bucket, Key=f"{url.prefix}/{key}", Body=body)


@contextlib.contextmanager
def object_store(home: Path, **environment: str) -> Iterator[ObjectStore]:
    """A store, with nothing in it; `environment` is for moto."""

    def part(ports: list[int]) -> Part:
        return Part(
            name="object-store",
            command=(sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(ports[0])),
            folder=home,
            address=f"http://{LOOPBACK}:{ports[0]}",
            ready=lambda: http_ok(ports[0], "/moto-api/"),
            environment=environment,
        )

    with launch.running(home, part) as (started, _):
        yield ObjectStore(started.address)
