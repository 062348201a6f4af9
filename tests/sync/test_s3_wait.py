"""What Triton's pod waits for before Triton starts."""

import os
import subprocess
import sys

import pytest

from tests.object_store import ObjectStore

pytestmark = pytest.mark.stack


def waiting(repository: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sync.s3_wait"],
        env={**os.environ, "FIXGATE_MODEL_REPOSITORY": repository},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_waits_until_sync_has_left_something_under_the_prefix(store: ObjectStore) -> None:
    url = store.new_prefix()
    with waiting(str(url)) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting: nothing under fixgate/served/ yet; sync begins it\n"
        assert process.poll() is None
        store.put(url, "fixgate.lock", b"")
        assert process.wait(60) == 0


def test_it_waits_for_the_bucket_too(store: ObjectStore) -> None:
    with waiting(f"s3://{store.endpoint}/not-there-yet") as process:
        assert process.stderr is not None
        assert "NoSuchBucket" in process.stderr.readline()
        store.client.create_bucket(Bucket="not-there-yet")
        store.client.put_object(Bucket="not-there-yet", Key="fixgate.lock", Body=b"")
        assert process.wait(60) == 0


@pytest.mark.parametrize("repository", ["/models", "s3://M"])
def test_what_is_not_in_object_storage_is_an_error(repository: str) -> None:
    with waiting(repository) as process:
        assert process.wait(60) == 2
        assert process.stderr is not None
        assert "FIXGATE_MODEL_REPOSITORY" in process.stderr.read()
