"""What is written to MLflow."""

import msgspec

from contract import rollout
from contract.catalog import ServedModel
from sync import catalogue
from sync.desired import RegisteredModel
from sync.plan import Situation
from sync.writeback import ModelTag, VersionTags, changes
from tests.sync.makers import live, live_model, model, record, registered, wanted

READY_1 = {"fixgate.status": "ready", "fixgate.digest": "digest-1"}


def serving(one: RegisteredModel, *numbers: int) -> dict[str, ServedModel]:
    current = live(live_model(*(record(registered(number)) for number in numbers)))
    proven = {("loc", number): 8 for number in numbers}
    circumstances = catalogue.Circumstances(now=0.0, proven=proven)
    return dict(catalogue.draft(wanted(one), current, Situation(), None, circumstances).models)


def test_a_served_version_is_marked_ready_and_its_champion_noted() -> None:
    one = model(registered(1), aliases={"champion": 1})
    assert changes([one], wanted(one), serving(one, 1), {}, {}, now=0.0) == (
        VersionTags("loc", 1, READY_1),
        ModelTag("loc", "fixgate.champions", "1"),
    )


def test_nothing_is_written_when_the_registry_says_it_already() -> None:
    one = model(
        registered(1, tags=READY_1), registered(2), aliases={"champion": 1}, tags={"fixgate.champions": "1"}
    )
    assert changes([one], wanted(one), serving(one, 1), {}, {}, now=0.0) == ()


def test_a_rejected_version_gets_its_reason_even_when_nobody_wants_it_now() -> None:
    one = model(registered(1))
    assert changes([one], {}, {}, {("loc", 1): "load: no"}, {}, now=0.0) == (
        VersionTags("loc", 1, {"fixgate.status": "rejected", "fixgate.reason": "load: no"}),
    )


def test_a_long_reason_is_cut() -> None:
    (change,) = changes([model(registered(1))], {}, {}, {("loc", 1): "x" * 9999}, {}, now=0.0)
    assert isinstance(change, VersionTags)
    assert len(change.tags["fixgate.reason"] or "") == 1000


def test_a_version_that_has_become_good_loses_its_reason() -> None:
    tags = {"fixgate.status": "rejected", "fixgate.reason": "load: no"}
    one = model(registered(1, tags=tags), aliases={"champion": 1}, tags={"fixgate.champions": "1"})
    assert changes([one], wanted(one), serving(one, 1), {}, {}, now=0.0) == (
        VersionTags("loc", 1, {**READY_1, "fixgate.reason": None}),
    )


def test_a_waiting_version_says_for_what() -> None:
    one = model(registered(1), aliases={"champion": 1})
    assert changes([one], wanted(one), {}, {}, {("loc", 1): "disk full"}, now=0.0) == (
        VersionTags("loc", 1, {"fixgate.status": "waiting", "fixgate.reason": "disk full"}),
    )


def test_a_version_that_was_served_and_is_no_longer_wanted_is_retired() -> None:
    one = model(registered(1, tags=READY_1), registered(2))
    assert changes([one], {}, {}, {}, {}, now=0.0) == (VersionTags("loc", 1, {"fixgate.status": "retired"}),)


def test_the_champion_is_noted_only_once_it_is_served() -> None:
    before = model(registered(1), registered(2), aliases={"champion": 1}, tags={"fixgate.champions": "1"})
    after = model(registered(1), registered(2), aliases={"champion": 2}, tags={"fixgate.champions": "1"})
    still = changes([after], wanted(after), serving(before, 1), {}, {}, now=0.0)
    assert [one for one in still if isinstance(one, ModelTag)] == []
    now = changes([after], wanted(after), serving(after, 1, 2), {}, {}, now=0.0)
    assert ModelTag("loc", "fixgate.champions", "2,1") in now


def test_a_policy_that_has_expired_gives_way_to_the_one_before_it() -> None:
    tag = '{"weights": {"candidate": 1}, "expires_at": 9.0, "then": {"weights": {"champion": 3}}}'
    tags = {"fixgate.champions": "1", "fixgate.routing": tag}
    one = model(registered(1, tags=READY_1), aliases={"champion": 1}, tags=tags)
    assert changes([one], wanted(one), serving(one, 1), {}, {}, now=8.9) == ()
    (change,) = changes([one], wanted(one), serving(one, 1), {}, {}, now=9.0)
    assert change == ModelTag("loc", "fixgate.routing", '{"weights":{"champion":3.0}}')


def test_how_a_rollout_ended_is_told_on_its_version() -> None:
    ended = rollout.Rollout("r", 2, 1, rollout.Plan(), "me", 0.0, phase="failed", reason="at 5 %: p95 812 ms")
    two = registered(2, tags={"fixgate.serve": "true"})
    one = model(registered(1), two, tags={"fixgate.rollout": rollout.dump(ended)})
    told = VersionTags("loc", 2, {"fixgate.rollout": "failed: at 5 %: p95 812 ms"})
    assert told in changes([one], wanted(one), {}, {}, {}, now=0.0)
    under_way = rollout.dump(msgspec.structs.replace(ended, phase="running"))
    one = model(registered(1), two, tags={"fixgate.rollout": under_way})
    assert told not in changes([one], wanted(one), {}, {}, {}, now=0.0)


def test_a_policy_that_has_expired_and_follows_none_is_taken_away() -> None:
    tag = '{"weights": {"candidate": 1}, "expires_at": 9.0}'
    one = model(registered(1), aliases={"champion": 1}, tags={"fixgate.routing": tag})
    assert ModelTag("loc", "fixgate.routing", None) in changes([one], wanted(one), {}, {}, {}, now=9.0)
