"""`python -m sync.s3_wait`: wait until sync has been at work under the prefix.

Triton takes a prefix with nothing under it for no directory, and does not look again: start it after this.
"""

import sys
import time

from sync import config as configuration
from sync import s3_url
from sync.errors import Misconfigured, RepositoryUnavailable
from sync.s3_bucket import Bucket, connect
from sync.s3_url import S3Url

EVERY_S = 2.0


def main() -> int:
    """Wait, and say for what; status 2 when the option is wrong."""
    try:
        url = _url()
        bucket = connect(url)
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        return 2
    said = ""
    while problem := _problem(bucket, f"{url.prefix}/" if url.prefix else ""):
        if problem != said:
            sys.stderr.write(f"waiting: {problem}\n")
            sys.stderr.flush()
            said = problem
        time.sleep(EVERY_S)
    return 0


def _url() -> S3Url:
    url = s3_url.parse(configuration.from_env().model_repository)
    if url is None:
        raise Misconfigured("FIXGATE_MODEL_REPOSITORY: not in object storage, nothing to wait for")
    return url


def _problem(bucket: Bucket, root: str) -> str:
    try:
        return "" if bucket.list(root).objects else f"nothing under {root or 'the root'} yet; sync begins it"
    except RepositoryUnavailable as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
