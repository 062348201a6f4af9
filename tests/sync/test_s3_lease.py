"""One sync per prefix: a lease that runs out with its owner, and that its owner heeds."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sync.errors import Misconfigured, RepositoryUnavailable
from sync.s3_bucket import Bucket, connect
from sync.s3_lease import Lease
from sync.s3_url import S3Url
from tests.object_store import ObjectStore
from tests.sync.s3_steps import opened

pytestmark = pytest.mark.stack

KEY = "fixgate/served/fixgate.lock"
SHORT_S = 3.0
LIMIT_S = 60.0

HOLD = """
import sys
from sync import s3_url
from sync.s3_bucket import connect
from sync.s3_lease import Lease
lease = Lease(connect(s3_url.parse(sys.argv[1])), sys.argv[2], seconds=float(sys.argv[3]))
print(lease.acquire(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def url(store: ObjectStore) -> S3Url:
    return store.new_prefix()


def until(holds: Callable[[], bool]) -> None:
    """Ask until something holds."""
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


def test_the_second_does_not_get_it_until_the_first_gives_it_back(url: S3Url) -> None:
    first, second = Lease(connect(url), KEY), Lease(connect(url), KEY)
    assert first.acquire()
    assert first.acquire(), "who has it has it, also when asking again"
    assert not second.acquire()
    first.check()
    first.release()
    assert second.acquire()
    second.release()


def test_of_many_at_once_one_gets_it(url: S3Url) -> None:
    leases = [Lease(connect(url), KEY) for _ in range(8)]
    had: list[bool] = []
    threads = [threading.Thread(target=lambda one=one: had.append(one.acquire())) for one in leases]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(had) == [False] * 7 + [True]
    for lease in leases:
        lease.release()


def test_the_lease_runs_out_after_its_owner_is_killed_and_not_while_it_lives(url: S3Url) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(url), KEY, str(SHORT_S)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"True\n"
        mine = Lease(connect(url), KEY, seconds=SHORT_S)
        bucket = connect(url)
        first = bucket.list(KEY).objects[0].modified
        until(lambda: bucket.list(KEY).objects[0].modified > first)
        assert not mine.acquire()
        owner.kill()
    until(mine.acquire)
    mine.release()


def test_who_has_lost_it_changes_nothing_any_more_and_takes_it_again_when_it_is_free(
    store: ObjectStore, url: S3Url, tmp_path: Path
) -> None:
    repository, steps = opened(url, tmp_path)
    lease = repository.lock()
    lease._seconds = SHORT_S
    assert lease.acquire()

    def refused() -> bool:
        try:
            repository.observe()
        except RepositoryUnavailable as error:
            return "the lock on the repository is not ours" in str(error)
        return False

    until(lambda: not refused())  # a busy machine may let so short a lease run out in between
    other = Lease(connect(url), KEY, seconds=SHORT_S)
    store.put(url, "fixgate.lock", other._body)  # as after this process had been stopped for a while
    assert other.acquire()
    until(refused)
    store.put(url, "loc/config.pbtxt", b"")
    with pytest.raises(RepositoryUnavailable):
        repository.remove_model("loc")
    assert steps.done == []
    other.release()
    until(lambda: not refused())
    lease.release()


def test_given_back_the_object_stays_empty_so_that_the_prefix_exists(store: ObjectStore, url: S3Url) -> None:
    lease = Lease(connect(url), KEY)
    assert lease.acquire()
    lease.release()
    assert store.keys(url) == ["fixgate.lock"]
    assert store.client.head_object(Bucket=url.bucket, Key=KEY)["ContentLength"] == 0


def test_a_store_that_does_not_keep_conditions_is_an_error(
    url: S3Url, monkeypatch: pytest.MonkeyPatch
) -> None:
    def heedless(self: Bucket, key: str, body: bytes, *, etag: str | None) -> str:
        self.put(key, body)
        return "etag"

    monkeypatch.setattr(Bucket, "put_if", heedless)
    with pytest.raises(Misconfigured, match=rf"MODEL_REPOSITORY: .*bucket {url.bucket}.*If-None-Match"):
        Lease(connect(url), KEY).acquire()


def test_a_store_that_does_not_answer_is_unavailable_and_nothing_is_held(store: ObjectStore) -> None:
    lease = Lease(connect(S3Url(store.endpoint, "nowhere", "")), KEY)
    with pytest.raises(RepositoryUnavailable, match="NoSuchBucket"):
        lease.acquire()
    lease.release()
