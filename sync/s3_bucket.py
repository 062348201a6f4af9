"""One bucket in object storage, by S3's API (the only importer of boto3): objects, and its errors as ours.

Credentials, region and proxies are boto3's own affair: AWS_ variables, profiles, roles.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sync.errors import Misconfigured, RepositoryUnavailable
from sync.s3_url import S3Url

CONNECT_S = 5.0
READ_S = 30.0
ATTEMPTS = 3

MISSING = ("404", "NoSuchKey", "NotFound")
CONDITION_FAILED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
NO_CONDITIONS = ("NotImplemented", "501")
CREDENTIALS = (
    "look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or the role), and at what its policy allows here: "
    "s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject"
)
ADVICE = {
    "NoSuchBucket": "make the bucket, or correct FIXGATE_MODEL_REPOSITORY",
    "AccessDenied": CREDENTIALS,
    "403": CREDENTIALS,
    "InvalidAccessKeyId": CREDENTIALS,
    "SignatureDoesNotMatch": CREDENTIALS,
    "ExpiredToken": CREDENTIALS,
    "PermanentRedirect": "the bucket is in another region: set AWS_DEFAULT_REGION",
    "EntityTooLarge": "the store takes no object as large as this",
    "KeyTooLongError": "a key has at most 1,024 bytes",
    "QuotaExceeded": "the bucket's quota is used up",
    "XMinioStorageFull": "the store is full",
}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing has it."""

    key: str
    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects under a prefix, and what the store's clock said, in whole seconds."""

    objects: tuple[StoredObject, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class Content:
    """An object's bytes, and what the store's clock said when they were read."""

    body: bytes
    etag: str
    modified: datetime
    now: datetime


def connect(url: S3Url) -> "Bucket":
    """The bucket of a URL; nothing is asked of the store yet.

    Raises:
        Misconfigured: boto3's own options cannot be used.
    """
    config = Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        s3={"addressing_style": "path" if url.endpoint else "auto"},
    )
    try:
        client = boto3.Session().client("s3", endpoint_url=url.endpoint, config=config)
    except (BotoCoreError, ValueError) as error:
        raise Misconfigured(f"FIXGATE_MODEL_REPOSITORY: {url}: {error}") from error
    return Bucket(client, url)


class Bucket:
    """Objects by key. Every method raises RepositoryUnavailable, with bucket, key and reason."""

    def __init__(self, client: Any, url: S3Url) -> None:
        self._client = client
        self._name = url.bucket
        self._where = f"{url.endpoint or 'Amazon S3'}, bucket {url.bucket}"

    def list(self, prefix: str) -> Listing:
        """Every object whose key begins so."""
        objects = []
        now = datetime.now(UTC)
        with self._errors("list", prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._name, Prefix=prefix
            ):
                now = _clock(page)
                objects += [
                    StoredObject(one["Key"], one["Size"], one["ETag"], one["LastModified"])
                    for one in page.get("Contents", ())
                ]
        return Listing(tuple(objects), now)

    def get(self, key: str) -> Content | None:
        """An object, whole; None when there is none."""
        with self._errors("read", key):
            try:
                found = self._client.get_object(Bucket=self._name, Key=key)
                with found["Body"] as stream:
                    body = stream.read()
            except ClientError as error:
                if _code(error) in MISSING:
                    return None
                raise
            return Content(body, found["ETag"], found["LastModified"], _clock(found))

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        with self._errors("look for", key):
            try:
                self._client.head_object(Bucket=self._name, Key=key)
            except ClientError as error:
                if _code(error) in MISSING:
                    return False
                raise
            return True

    def put(self, key: str, body: bytes) -> None:
        """Write an object whole: readers see the one before, or this one."""
        with self._errors("write", key):
            self._client.put_object(Bucket=self._name, Key=key, Body=body)

    def put_if(self, key: str, body: bytes, *, etag: str | None) -> str | None:
        """Write an object if it is still the one with this ETag (None: if there is none).

        The new ETag, or None when it was not written.

        Raises:
            Misconfigured: the store takes no conditions.
            RepositoryUnavailable: as everywhere.
        """
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        with self._errors("write", key):
            try:
                written = self._client.put_object(Bucket=self._name, Key=key, Body=body, **condition)
            except ClientError as error:
                if _code(error) in (*CONDITION_FAILED, *MISSING):
                    return None
                if _code(error) in NO_CONDITIONS:
                    raise self.takes_no_conditions() from error
                raise
            return str(written["ETag"])

    def upload(self, key: str, file: Path) -> None:
        """Write a file's content, in parts if it is large; the object is there when all of it is."""
        with self._errors("write", key):
            self._client.upload_file(str(file), self._name, key)

    def copy(self, source: str, key: str) -> None:
        """Copy an object within the store."""
        with self._errors("copy", source):
            self._client.copy({"Bucket": self._name, "Key": source}, self._name, key)

    def delete(self, key: str) -> None:
        """Delete an object; that there is none is no error."""
        with self._errors("delete", key):
            self._client.delete_object(Bucket=self._name, Key=key)

    def abort_uploads(self, prefix: str) -> None:
        """Throw away the parts of uploads that a kill cut off: no listing shows them, and they cost."""
        with self._errors("look for unfinished uploads under", prefix):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._name, Prefix=prefix
            )
            for one in [upload for page in pages for upload in page.get("Uploads", ())]:
                self._client.abort_multipart_upload(
                    Bucket=self._name, Key=one["Key"], UploadId=one["UploadId"]
                )

    def takes_no_conditions(self) -> Misconfigured:
        """The error of a store without conditional writes."""
        return Misconfigured(
            f"FIXGATE_MODEL_REPOSITORY: {self._where}: the store does not keep to conditional writes "
            "(If-None-Match, If-Match), without which two syncs could not be kept apart"
        )

    @contextmanager
    def _errors(self, doing: str, key: str) -> Iterator[None]:
        where = f"{self._where}: cannot {doing} {key or 'its root'}"
        try:
            yield
        except ClientError as error:
            code = _code(error)
            told = f"{code}: {error.response.get('Error', {}).get('Message') or error}"
            advice = f"; {ADVICE[code]}" if code in ADVICE else ""
            raise RepositoryUnavailable(f"{where}: {told}{advice}") from error
        except (BotoCoreError, Boto3Error) as error:
            raise RepositoryUnavailable(f"{where}: {error}") from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _clock(answer: dict[str, Any]) -> datetime:
    """When the store answered, by its own clock; ours stands in for one that does not say."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC)
