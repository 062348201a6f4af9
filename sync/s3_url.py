"""Where a repository in object storage is (pure), in the form that Triton takes: both are given the same URL.

`s3://bucket/prefix` is Amazon's; `s3://host:port/bucket/prefix` is another store, over HTTP; with `https://`
before the host, over that.
"""

import re
from dataclasses import dataclass

SCHEME = "s3://"
FORMS = "s3://bucket/prefix or s3://[https://]host:port/bucket/prefix"

ENDPOINT = re.compile(r"(?:(https?)://)?([0-9A-Za-z.-]+):([0-9]{1,5})(?:/|$)")
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX = re.compile(r"[0-9A-Za-z._/-]*")
MAX_PREFIX = 400
"""With a model's name of 200 and a version's number, far from the 1,024 bytes that a key may have."""


class NotAnS3Url(ValueError):
    """A URL that begins as one of S3 and is none that Triton would take; the message says why."""


@dataclass(frozen=True, slots=True)
class S3Url:
    """A prefix in a bucket.

    `endpoint` is the store's URL, None for Amazon's; `prefix` is without slashes around it.
    """

    endpoint: str | None
    bucket: str
    prefix: str

    def __str__(self) -> str:
        host = f"{self.endpoint}/" if self.endpoint else ""
        return f"{SCHEME}{host}{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def parse(text: str) -> S3Url | None:
    """The URL, or None when it is a folder's path.

    Raises:
        NotAnS3Url: it begins with `s3:` and cannot be one.
    """
    if not text.startswith("s3:"):
        return None
    if not text.startswith(SCHEME):
        raise NotAnS3Url(f"an address in object storage is {FORMS}")
    rest = text.removeprefix(SCHEME)
    endpoint = None
    if found := ENDPOINT.match(rest):
        protocol, host, port = found.groups()
        if not 0 < int(port) <= 65_535:
            raise NotAnS3Url(f"port {port}: 1 to 65535")
        endpoint = f"{protocol or 'http'}://{host}:{port}"
        rest = rest[found.end() :]
    elif rest.startswith(("http://", "https://")):
        raise NotAnS3Url(f"Triton wants the port too: {FORMS}")
    bucket, _, prefix = rest.partition("/")
    return S3Url(endpoint, _bucket(bucket), _prefix(prefix))


def _bucket(name: str) -> str:
    if not BUCKET.fullmatch(name):
        raise NotAnS3Url(
            f"bucket {name!r}: 3 to 63 of a-z, 0-9, '.' and '-', a letter or digit at either end"
        )
    return name


def _prefix(text: str) -> str:
    prefix = "/".join(part for part in text.split("/") if part)
    if not PREFIX.fullmatch(prefix):
        raise NotAnS3Url(
            f"prefix {prefix!r}: letters, digits, '.', '_', '-' and '/' only, or Triton cannot read it"
        )
    if len(prefix) > MAX_PREFIX:
        raise NotAnS3Url(f"prefix of {len(prefix)} characters: at most {MAX_PREFIX}")
    return prefix
