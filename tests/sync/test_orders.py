"""What commands come to."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from contract import rollout as rollouts
from contract.catalog import RoutePolicy, ServedModel
from contract.command import Command
from contract.rollout import Plan
from sync.desired import RegisteredModel, routing_etag
from sync.orders import (
    Change,
    LookAgain,
    MoveChampion,
    NotPossible,
    SetRollout,
    SetRouting,
    previous_champion,
    resolve,
)
from sync.quarantine import Refusal
from tests.sync.makers import model, registered

LOC = model(
    *(registered(number) for number in (1, 2, 3)),
    aliases={"champion": 3},
    tags={"fixgate.champions": "3,9,2,1"},
)
SERVED = {"loc": ServedModel("loc", (), {"champion": 3, "candidate": 2, "shadow": 1})}
REFUSED = {("loc", 1): Refusal("loc", 1, "i", "load", "cannot", 0.0)}
NOW = 100.0


def decided(
    action: str,
    version: int | None = None,
    *,
    name: str | None = "loc",
    present: RegisteredModel = LOC,
    **arguments: Any,
) -> Change:
    given = {key: msgspec.Raw(msgspec.json.encode(value)) for key, value in arguments.items()}
    command = Command("c-1", action, "me", 1.0, 200.0, name, version, given)  # type: ignore[arg-type]
    return resolve(command, {"loc": present}, SERVED, REFUSED, NOW)


def test_a_reload_is_a_look() -> None:
    assert decided("reload", name=None) == LookAgain()


def test_a_promotion_moves_the_champion() -> None:
    assert decided("promote", 2) == MoveChampion("loc", 2)


def test_a_rollback_goes_to_the_champion_before_that_is_still_registered() -> None:
    assert decided("rollback") == MoveChampion("loc", 2)
    assert decided("rollback", 3) == MoveChampion("loc", 3)


def test_without_an_earlier_champion_there_is_nothing_to_go_back_to() -> None:
    with pytest.raises(NotPossible, match="no earlier champion"):
        previous_champion(model(registered(1), aliases={"champion": 1}, tags={"fixgate.champions": "1"}))


def test_weights_are_put_in_force_with_their_end() -> None:
    change = decided("route", weights={"champion": 90, "candidate": 10}, expires_in_s=60)
    assert isinstance(change, SetRouting)
    assert change.policy is not None
    assert change.policy.weights == {"champion": 90.0, "candidate": 10.0}
    assert change.policy.expires_at == NOW + 60
    assert change.policy.then is None


def tagged(**policy: Any) -> RegisteredModel:
    """The model with a policy in force."""
    return replace(LOC, tags={**LOC.tags, "fixgate.routing": msgspec.json.encode(policy).decode()})


def routed(present: RegisteredModel, **arguments: Any) -> RoutePolicy | None:
    change = decided("route", present=present, **arguments)
    assert isinstance(change, SetRouting)
    return change.policy


def test_temporary_weights_give_way_to_the_lasting_ones_before_them() -> None:
    lasting = {"weights": {"champion": 9}}
    before = RoutePolicy({"champion": 9.0})
    for present in (tagged(**lasting), tagged(weights={"candidate": 1}, expires_at=150.0, then=lasting)):
        policy = routed(present, weights={"candidate": 5}, expires_in_s=60)
        assert policy == RoutePolicy({"candidate": 5.0}, expires_at=NOW + 60, then=before)
        assert routed(present, weights={"candidate": 5}) == RoutePolicy({"candidate": 5.0})


def test_sessions_keep_their_places_when_weights_change() -> None:
    present = tagged(weights={"champion": 9}, salt="s")
    for arguments in ({}, {"expires_in_s": 60}):
        policy = routed(present, weights={"candidate": 5}, **arguments)
        assert policy is not None
        assert policy.salt == "s"


def test_an_unreadable_policy_is_replaced() -> None:
    present = replace(LOC, tags={"fixgate.routing": "{"})
    assert routed(present, weights={"champion": 1}, expires_in_s=5) == RoutePolicy({"champion": 1.0}, NOW + 5)


def test_no_weights_end_the_policy() -> None:
    assert decided("route") == SetRouting("loc", None)


def test_a_policy_is_changed_only_from_the_state_that_was_meant() -> None:
    present = tagged(weights={"champion": 9})
    etag = routing_etag(present.tags, None)
    assert routed(present, weights={"champion": 1}, if_match=["other", etag]) is not None
    assert routed(present, weights={"champion": 1}, if_match=["*"]) is not None
    with pytest.raises(NotPossible, match=f'the policy now is "{etag}"') as raised:
        routed(present, if_match=["other"])
    assert raised.value.fault == "precondition"


def test_the_candidate_is_promoted_when_no_version_is_named() -> None:
    present = replace(LOC, aliases={"champion": 3, "candidate": 2})
    assert decided("promote", present=present) == MoveChampion("loc", 2)


@pytest.mark.parametrize(
    ("action", "version", "arguments", "said"),
    [
        ("promote", 7, {}, "no version 7"),
        ("promote", 0, {}, "no version 0"),
        ("rollback", 0, {}, "no version 0"),
        ("promote", None, {}, "no alias candidate"),
        ("promote", 1, {}, r"refused \(load\): cannot"),
        ("route", None, {"weights": {"shadow": 1}}, "never answers"),
        ("route", None, {"weights": {"7": 1}}, "'7' is neither.*served: candidate, champion, shadow"),
        ("route", None, {"weights": {"champion": 1}, "expires_in_s": 0}, "expires_in_s"),
        ("route", None, {"weights": {"champion": 1}, "for": 1}, "for"),
        ("route", None, {"weights": {"champion": 0}}, "at least one"),
        ("route", None, {"weights": {"champion": -1}}, "weights"),
        ("route", None, {"weights": "all"}, "weights"),
        ("route", None, {"weights": {"champion": 1}, "expires_in_s": "soon"}, "expires_in_s"),
    ],
)
def test_what_cannot_be_done_is_said(
    action: str, version: int | None, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(NotPossible, match=said):
        decided(action, version, **arguments)


def test_an_unknown_model_is_said() -> None:
    with pytest.raises(NotPossible, match="no model 'other'"):
        decided("promote", 1, name="other")


def test_a_command_that_is_read_too_late_is_not_carried_out() -> None:
    with pytest.raises(NotPossible, match="expired"):
        resolve(Command("c", "promote", "me", 1.0, 99.0, "loc", 2), {"loc": LOC}, SERVED, {}, NOW)


PLAN = {"steps": [50, 100], "every_s": 60}


def rolled(
    do: str, version: int | None = 2, *, present: RegisteredModel = LOC, **arguments: Any
) -> SetRollout:
    change = decided("rollout", version, present=present, do=do, **arguments)
    assert isinstance(change, SetRollout)
    return change


def under(**fields: Any) -> RegisteredModel:
    """The model with a rollout of version 2 under way."""
    begun = msgspec.structs.replace(rolled("start", plan=PLAN).rollout, **fields)
    return replace(LOC, tags={**LOC.tags, "fixgate.rollout": rollouts.dump(begun)})


def test_a_rollout_begins_beside_the_champion_with_its_plan() -> None:
    change = rolled("start", plan=PLAN)
    rollout = change.rollout
    assert change.begins
    assert (rollout.id, rollout.version, rollout.champion, rollout.by) == ("c-1", 2, 3, "me")
    assert (rollout.plan.steps, rollout.plan.every_s, rollout.started_at) == ((50.0, 100.0), 60.0, NOW)
    assert (rollout.phase, rollout.share) == ("waiting", 0.0)
    assert rolled("start").rollout.plan == Plan()


def test_a_rollout_that_a_kill_interrupted_is_begun_again_as_it_was() -> None:
    present = under(started_at=5.0)
    assert rolled("start", plan=PLAN, present=present).rollout.started_at == 5.0


def test_a_rollout_is_paused_resumed_and_aborted() -> None:
    running = under(id="other", phase="running", step=1, since=5.0)
    paused = rolled("pause", present=running).rollout
    assert (paused.paused, paused.share, paused.since) == (True, 100.0, 5.0)
    resumed = rolled("resume", present=under(phase="running", paused=True, since=5.0)).rollout
    assert (resumed.paused, resumed.since) == (False, NOW)
    aborted = rolled("abort", present=running).rollout
    assert (aborted.phase, aborted.reason, aborted.ended_at) == ("aborted", "by me", NOW)


@pytest.mark.parametrize(
    ("do", "version", "present", "said"),
    [
        ("start", 2, {"id": "other"}, "a rollout of loc version 2 is under way"),
        ("start", 3, None, "is the champion already"),
        ("start", 7, None, "no version 7"),
        ("start", 0, None, "no version 0"),
        ("start", None, None, "say which version"),
        ("start", 1, None, r"refused \(load\)"),
        ("pause", None, None, "no rollout is under way"),
        ("abort", None, {"phase": "failed"}, "no rollout is under way"),
        ("resume", None, {}, "is not paused"),
        ("stop", None, {}, "do: Invalid enum value"),
    ],
)
def test_a_rollout_that_cannot_be_is_refused(
    do: str, version: int | None, present: dict[str, Any] | None, said: str
) -> None:
    with pytest.raises(NotPossible, match=said):
        rolled(do, version, present=LOC if present is None else under(**present))


def test_a_candidate_whose_rollout_failed_is_promoted_by_its_number_only() -> None:
    present = replace(under(phase="failed", reason="at 5 %: slow"), aliases={"champion": 3, "candidate": 2})
    with pytest.raises(NotPossible, match=r"failed \(at 5 %: slow\): name it"):
        decided("promote", present=present)
    assert decided("promote", 2, present=present) == MoveChampion("loc", 2)


def test_an_impossible_plan_names_its_field() -> None:
    for plan, said in (({"steps": [5, 5]}, "steps must ascend"), ({"every_s": 0}, r"plan\.every_s")):
        with pytest.raises(NotPossible, match=said) as raised:
            rolled("start", plan=plan)
        assert raised.value.fault == "invalid"


def test_without_a_champion_there_is_nothing_to_roll_out_beside() -> None:
    with pytest.raises(NotPossible, match="promote first"):
        rolled("start", present=replace(LOC, aliases={}))


@pytest.mark.parametrize(
    ("action", "version", "arguments"),
    [
        ("route", None, {"weights": {"champion": 1}}),
        ("route", None, {}),
        ("promote", 9, {}),
        ("rollback", 9, {}),
    ],
)
def test_while_a_rollout_is_under_way_the_traffic_is_its_own(
    action: str, version: int | None, arguments: dict[str, Any]
) -> None:
    versions = {**LOC.versions, 9: registered(9)}
    present = replace(under(), versions=versions)
    with pytest.raises(NotPossible, match="under way: abort it first"):
        decided(action, version, present=present, **arguments)
    assert decided("promote", 2, present=present) == MoveChampion("loc", 2)
