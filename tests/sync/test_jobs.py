"""Work in threads."""

import threading
from collections.abc import Iterator

import pytest

from sync.jobs import Finished, Jobs

KEY = ("loc", 1)


@pytest.fixture
def rung() -> threading.Event:
    return threading.Event()


@pytest.fixture
def jobs(rung: threading.Event) -> Iterator[Jobs]:
    made = Jobs(rung.set)
    yield made
    made.close()


def test_a_running_job_makes_its_version_busy(jobs: Jobs) -> None:
    go = threading.Event()
    jobs.start(KEY, go.wait, publishes=False)
    assert jobs.busy == {KEY}
    assert jobs.publishing == frozenset()
    assert jobs.collect() == []
    go.set()


def test_a_publication_makes_its_model_busy_until_it_is_collected(jobs: Jobs, rung: threading.Event) -> None:
    jobs.start(KEY, lambda: "done", publishes=True)
    assert jobs.publishing == {"loc"}
    assert rung.wait(10)
    assert jobs.collect() == [Finished(KEY, "done")]
    assert (jobs.busy, jobs.publishing, jobs.collect()) == (frozenset(), frozenset(), [])


def test_an_error_is_what_the_job_came_to(jobs: Jobs, rung: threading.Event) -> None:
    def fail() -> None:
        raise ValueError("no")

    jobs.start(KEY, fail, publishes=False)
    assert rung.wait(10)
    (finished,) = jobs.collect()
    assert isinstance(finished.error, ValueError)


def test_closing_waits_for_what_runs(jobs: Jobs) -> None:
    done = threading.Event()
    started, go = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        go.wait(10)
        done.set()

    jobs.start(KEY, work, publishes=False)
    assert started.wait(10)
    go.set()
    jobs.close()
    assert done.is_set()
