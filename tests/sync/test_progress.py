"""What a process knows of versions on their way."""

from contract.catalog import Catalog
from sync import catalogue
from sync.plan import Situation
from sync.progress import LONGEST_REST_S, Progress, Proof, Since
from tests.sync.makers import live, live_model, model, record, registered, wanted

KEY = ("loc", 1)
LIVE = live(live_model(record(registered(1))))


def test_a_condition_holds_since_it_was_first_seen_without_a_break() -> None:
    since: Since[str] = Since()
    since.update_to({"a", "b"}, 10.0)
    since.update_to({"a"}, 12.0)
    since.update_to({"a", "b"}, 14.0)
    assert since.longer_than(4.0, 14.0) == {"a"}
    assert since.longer_than(0.0, 14.0) == {"a", "b"}


def test_each_rest_is_twice_as_long_up_to_a_limit() -> None:
    progress = Progress()
    pauses = []
    for _ in range(6):
        progress.rest(KEY, "down", now=100.0)
        pauses.append(progress.resting[KEY].until - 100.0)
    assert pauses == [2, 4, 8, 16, LONGEST_REST_S, LONGEST_REST_S]
    assert progress.still_resting(100.0 + LONGEST_REST_S - 1) == {KEY}
    assert progress.still_resting(100.0 + LONGEST_REST_S) == frozenset()


def test_a_proof_is_good_for_the_files_it_was_made_with() -> None:
    progress = Progress(proven={KEY: Proof("digest-1", 8)})
    assert progress.proved(LIVE) == {KEY: 8}
    assert progress.proved_here(LIVE) == {KEY}
    other = live(live_model(record(registered(1), digest="other")))
    assert progress.proved(other) == {}
    assert progress.proved_here(other) == frozenset()


def test_a_proof_under_another_batch_size_has_to_be_made_again() -> None:
    progress = Progress(proven={KEY: Proof("digest-1", 4)})
    assert progress.proved(LIVE) == {KEY: 4}
    assert progress.proved_here(LIVE) == frozenset()


def test_versions_in_the_last_catalogue_count_as_proved_but_not_by_this_process() -> None:
    desired = wanted(model(registered(1), aliases={"champion": 1}))
    draft = catalogue.draft(
        desired, LIVE, Situation(), None, catalogue.Circumstances(now=0.0, proven={KEY: 8})
    )
    progress = Progress()
    progress.trust(Catalog("1.0", 1, 0.0, dict(draft.models)))
    assert progress.proved(LIVE) == {KEY: 8}
    assert progress.proved_here(LIVE) == frozenset()
    progress.trust(None)
    assert progress.proved(LIVE) == {KEY: 8}
