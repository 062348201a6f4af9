"""sync over a real MLflow, Redis and Triton: what the registry says is what is served."""

import pytest

from tests.sync.rig import Rig, again

pytestmark = pytest.mark.stack


def serve_two(rig: Rig) -> None:
    """Version 1 the champion, then version 2."""
    rig.register(1, "champion")
    rig.run_until(lambda: rig.champion == 1, "version 1 served")
    rig.register(2, "champion")
    rig.run_until(lambda: rig.champion == 2, "version 2 served")
    rig.settle()


def test_a_registered_champion_is_served_and_says_so(sync_rig: Rig) -> None:
    done = sync_rig.register(1, "champion")
    sync_rig.settle()
    assert sync_rig.numbers == sync_rig.ready() == [1]
    assert sync_rig.answer(1) == pytest.approx([45.01, 9.0], abs=1e-4)
    assert sync_rig.served is not None
    (version,) = sync_rig.served.versions
    assert (version.run_id, version.max_batch_size) == (done.run_id, 4)
    assert set(version.latency_ms) == {"1", "2", "4"}
    tags = sync_rig.tags(1)
    assert (tags["fixgate.status"], tags["fixgate.digest"]) == ("ready", version.digest)
    (publish,) = sync_rig.journal("publish")
    assert (publish.version, publish.digest, publish.run_id, publish.cause) == (
        1,
        version.digest,
        done.run_id,
        "alias champion",
    )


def test_the_alias_moves_to_a_new_version_and_back_without_loading_again(sync_rig: Rig) -> None:
    serve_two(sync_rig)
    assert sync_rig.numbers == [1, 2]
    assert sync_rig.served is not None
    assert sync_rig.served.previous_champion == 1
    published = len(sync_rig.journal("publish"))
    sync_rig.alias("champion", 1)
    sync_rig.run_until(lambda: sync_rig.champion == 1)
    assert len(sync_rig.journal("publish")) == published
    moves = [(one.previous, one.version) for one in sync_rig.journal("switch")]
    assert moves == [(None, 1), (1, 2), (2, 1)]


def test_what_is_no_longer_wanted_is_taken_out_of_triton(sync_rig: Rig) -> None:
    serve_two(sync_rig)
    sync_rig.register(3, "champion")
    sync_rig.run_until(lambda: sync_rig.champion == 3)
    sync_rig.settle()
    assert sync_rig.numbers == [2, 3]
    sync_rig.run_until(lambda: sync_rig.ready() == [2, 3], "version 1 unloaded")
    assert not (sync_rig.triton.repository / sync_rig.name / "1").exists()
    assert sync_rig.tags(1)["fixgate.status"] == "retired"
    assert [one.version for one in sync_rig.journal("retire")] == [1]


def test_an_idle_pass_changes_nothing(sync_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    sync_rig.register(1, "champion")
    sync_rig.settle()
    catalog = sync_rig.catalog
    entries = sync_rig.journal()
    for part, name in (
        (sync_rig.parts.watch.reconciler.registry, "tag_version"),
        (sync_rig.parts.watch.reconciler.repository, "write_config"),
    ):
        monkeypatch.setattr(part, name, lambda *_arguments: pytest.fail("an idle pass writes"))
    sync_rig.parts.watch.step()
    assert (sync_rig.catalog, sync_rig.journal()) == (catalog, entries)
    last = sync_rig.parts.watch.last
    assert last is not None
    assert last.settled


def test_the_next_process_takes_over_and_proves_anew(sync_rig: Rig) -> None:
    sync_rig.register(1, "champion")
    sync_rig.settle()
    catalog, entries = sync_rig.catalog, sync_rig.journal()
    rig = again(sync_rig)
    rig.settle()
    assert ("test", rig.catalog, rig.journal()) == ("test", catalog, entries)
    assert rig.parts.watch.reconciler.work.progress.proven
    rig.stop()
