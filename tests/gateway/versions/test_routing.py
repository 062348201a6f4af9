"""Which version answers."""

import random
from collections import Counter
from math import inf, sqrt

import pytest
from msgspec.structs import replace

from contract.catalog import Catalog, RoutePolicy, ServedModel
from gateway.errors import NotFound, Unavailable
from gateway.versions.routing import (
    Choice,
    default_name,
    find_model,
    instead,
    pick,
    pick_pinned,
    pinned,
    route,
    shares,
)
from tests.gateway import stand

NOW = 1_000.0


def model(
    weights: dict[str, float] | None = None,
    *,
    expires_at: float | None = None,
    salt: str = "",
    versions: int = 3,
) -> ServedModel:
    """Versions 1…; champion 1, candidate 2, shadow 3."""
    served = tuple(stand.echo_model("m").served(version=number) for number in range(1, versions + 1))
    routing = RoutePolicy(weights, expires_at, salt) if weights is not None else None
    return ServedModel("m", served, {"champion": 1, "candidate": 2, "shadow": 3, "gone": 9}, routing)


def catalog(*names: str, default: str | None = None) -> Catalog:
    """A catalogue of models of these names."""
    return Catalog("1.0", 1, 0.0, {name: ServedModel(name, (), {}) for name in names}, default)


def anyone(_: int) -> bool:
    """Every version is available."""
    return True


def deal(chosen: ServedModel, draw: float = 0.0, session_id: str | None = None, *away: int) -> Choice:
    """Who answers a request that pins nobody, while some versions are away."""
    return pick(
        route(chosen, NOW), session_id=session_id, draw=draw, available=lambda number: number not in away
    )


def sessions(chosen: ServedModel, count: int) -> list[int]:
    """The version of each of `count` sessions."""
    dealt = route(chosen, NOW)
    return [pick(dealt, session_id=f"s{i}", draw=0.0, available=anyone).version.version for i in range(count)]


def test_without_a_policy_the_champion_takes_all() -> None:
    assert shares(model(), NOW) == {1: 1.0}


def test_weights_name_aliases_or_numbers_and_add_up() -> None:
    assert shares(model({"champion": 80, "1": 10, "candidate": 10}), NOW) == {1: 0.9, 2: 0.1}


def test_weights_of_any_size_become_shares() -> None:
    assert shares(model({"champion": 1e308, "candidate": 1e308}), NOW) == {1: 0.5, 2: 0.5}
    assert shares(model({"champion": 5e-324, "candidate": 0}), NOW) == {1: 1.0}


@pytest.mark.parametrize(
    "weights",
    [{"candidate": 0}, {"gone": 1}, {"no-such-alias": 1}, {"77": 1}, {"shadow": 1}, {}],
    ids=["zero", "alias of a retired version", "unknown alias", "unknown number", "shadow", "empty"],
)
def test_a_policy_that_reaches_nobody_leaves_the_champion(weights: dict[str, float]) -> None:
    assert shares(model(weights), NOW) == {1: 1.0}


def test_an_expired_policy_leaves_the_champion() -> None:
    policy = {"candidate": 1.0}
    assert shares(model(policy, expires_at=NOW + 0.001), NOW) == {2: 1.0}
    assert shares(model(policy, expires_at=NOW), NOW) == {1: 1.0}


def test_a_model_without_champion_or_weights_answers_only_pinned() -> None:
    bare = ServedModel("m", model().versions, {})
    with pytest.raises(NotFound, match="pin one of 1, 2, 3"):
        deal(bare)
    assert pick_pinned(bare, 2, anyone).version.version == 2


@pytest.mark.parametrize(("pin", "number"), [(3, 3), ("candidate", 2), ("shadow", 3)])
def test_a_pin_answers_whatever_the_weights_say(pin: int | str, number: int) -> None:
    choice = pick_pinned(model({"champion": 1}), pin, anyone)
    assert (choice.version.version, choice.pinned) == (number, True)


@pytest.mark.parametrize(
    ("pin", "message"),
    [
        (4, "no version 4; served: 1, 2, 3"),
        ("beta", 'no alias "beta"; aliases: "candidate", "champion"'),
        ("gone", "9"),
    ],
)
def test_an_unknown_pin_is_told_what_there_is(pin: int | str, message: str) -> None:
    with pytest.raises(NotFound, match=message):
        pinned(model(), pin)


def test_draws_split_by_weight() -> None:
    chosen = model({"champion": 90, "candidate": 10})
    answers = [deal(chosen, i / 1000) for i in range(1000)]
    assert Counter(answer.version.version for answer in answers) == {1: 900, 2: 100}


def test_a_draw_beyond_rounding_still_finds_a_version() -> None:
    chosen = model({"1": 1, "2": 1, "3": 1})
    just_below_one = 1 - 2**-53
    assert deal(chosen, just_below_one).version.version == 3


def test_a_hundred_thousand_requests_split_by_weight_a_third_of_them_sticky() -> None:
    """Each share within four standard errors, among sessions and among the rest alike."""
    dealt, count = route(model({"champion": 70, "candidate": 25, "3": 5}), NOW), 100_000
    rng = random.Random(7)
    chosen: dict[bool, list[int]] = {True: [], False: []}
    for place in range(count):
        sticky = place % 3 == 0
        session = f"session-{place}" if sticky else None
        choice = pick(dealt, session_id=session, draw=rng.random(), available=anyone)
        chosen[sticky].append(choice.version.version)
    for answers in (chosen[True], chosen[False], chosen[True] + chosen[False]):
        found = Counter(answers)
        for number, share in ((1, 0.7), (2, 0.25), (3, 0.05)):
            error = sqrt(share * (1 - share) / len(answers))
            assert abs(found[number] / len(answers) - share) < 4 * error


def test_sessions_split_by_weight_within_four_standard_errors() -> None:
    count = 20_000
    found = Counter(sessions(model({"1": 70, "2": 20, "3": 10}), count))
    for number, share in ((1, 0.7), (2, 0.2), (3, 0.1)):
        assert abs(found[number] / count - share) < 4 * sqrt(share * (1 - share) / count)


def test_a_session_stays_with_its_version() -> None:
    chosen = model({"champion": 50, "candidate": 50})
    assert sessions(chosen, 200) == sessions(chosen, 200)


def test_a_session_does_not_depend_on_the_order_of_the_weights() -> None:
    assert sessions(model({"1": 60, "2": 30, "3": 10}), 500) == sessions(
        model({"3": 10, "1": 60, "2": 30}), 500
    )


def test_a_weight_change_moves_only_the_share_that_must_move() -> None:
    """From 90/10 to 70/30 a fifth moves, all of it from the first version to the second."""
    count = 20_000
    before = sessions(model({"1": 90, "2": 10}), count)
    after = sessions(model({"1": 70, "2": 30}), count)
    moves = Counter((a, b) for a, b in zip(before, after, strict=True) if a != b)
    assert set(moves) == {(1, 2)}
    assert abs(moves[1, 2] / count - 0.2) < 4 * sqrt(0.2 * 0.8 / count)


def test_a_new_version_takes_sessions_only_for_itself() -> None:
    before = sessions(model({"1": 50, "2": 50}), 5_000)
    after = sessions(model({"1": 50, "2": 50, "3": 25}), 5_000)
    assert {b for a, b in zip(before, after, strict=True) if a != b} == {3}


def test_the_salt_deals_sessions_anew() -> None:
    one = sessions(model({"1": 50, "2": 50}, salt="a"), 1_000)
    other = sessions(model({"1": 50, "2": 50}, salt="b"), 1_000)
    assert 400 < sum(a != b for a, b in zip(one, other, strict=True)) < 600


def versions_in_turn(previous: int | None = 4) -> ServedModel:
    """Versions 1…4: champion 1, candidate 2, champion before it 4; all traffic to the candidate."""
    return replace(model({"candidate": 1}, versions=4), previous_champion=previous)


@pytest.mark.parametrize(
    ("away", "answers", "came_from"),
    [
        ((), 2, None),
        ((2,), 1, 2),
        ((2, 1), 4, 2),
        ((2, 1, 4), 2, None),
        ((1, 4), 2, None),
    ],
    ids=["nobody", "its own", "the champion too", "everybody: it keeps it", "the others"],
)
def test_what_is_away_loses_its_traffic_to_the_champion_then_to_its_predecessor(
    away: tuple[int, ...], answers: int, came_from: int | None
) -> None:
    choice = deal(versions_in_turn(), 0.0, None, *away)
    assert (choice.version.version, choice.fallback_from, choice.pinned) == (answers, came_from, False)


def test_a_champion_that_is_away_loses_its_traffic_to_its_predecessor() -> None:
    champion = replace(versions_in_turn(), routing=None)
    choice = deal(champion, 0.0, None, 1)
    assert (choice.version.version, choice.fallback_from) == (4, 1)


@pytest.mark.parametrize("previous", [None, 9], ids=["never was one", "not served any more"])
def test_without_a_predecessor_there_is_only_the_champion(previous: int | None) -> None:
    choice = deal(versions_in_turn(previous), 0.0, None, 1, 2)
    assert (choice.version.version, choice.fallback_from) == (2, None)


def test_only_the_traffic_of_what_is_away_moves_and_it_comes_back() -> None:
    chosen = model({"champion": 50, "candidate": 25, "3": 25})
    names = [f"s{number}" for number in range(300)]
    before = {name: deal(chosen, 0.0, name).version.version for name in names}
    during = {name: deal(chosen, 0.0, name, 2).version.version for name in names}
    assert during == {name: 1 if number == 2 else number for name, number in before.items()}
    assert {name: deal(chosen, 0.0, name).version.version for name in names} == before


def test_who_turns_out_to_be_away_is_replaced_by_one_stand_in_after_the_other() -> None:
    dealt = route(versions_in_turn(), NOW)
    first = pick(dealt, session_id=None, draw=0.0, available=anyone)
    second = instead(dealt, first, anyone)
    assert second is not None
    third = instead(dealt, second, anyone)
    assert third is not None
    assert [(one.version.version, one.fallback_from) for one in (second, third)] == [(1, 2), (4, 2)]
    assert instead(dealt, third, anyone) is None


def test_a_predecessor_that_has_weight_of_its_own_loses_it_to_the_champion() -> None:
    dealt = route(replace(versions_in_turn(), routing=RoutePolicy({"4": 1})), NOW)
    first = pick(dealt, session_id=None, draw=0.0, available=anyone)
    second = instead(dealt, first, anyone)
    assert second is not None
    assert (second.version.version, second.fallback_from) == (1, 4)
    assert instead(dealt, second, anyone) is None


def test_a_pinned_version_that_is_away_is_replaced_by_nobody() -> None:
    chosen = versions_in_turn()
    with pytest.raises(Unavailable, match='model "m" version 2 is not available') as caught:
        pick_pinned(chosen, "candidate", lambda number: number != 2)
    assert caught.value.retry_after_s >= 1
    assert instead(route(chosen, NOW), pick_pinned(chosen, 2, anyone), anyone) is None


def test_a_route_holds_until_its_policy_expires_or_the_model_changes() -> None:
    chosen = model({"candidate": 1}, expires_at=NOW + 5)
    dealt = route(chosen, NOW)
    assert dealt.holds(chosen, NOW + 4.9)
    assert not dealt.holds(chosen, NOW + 5)
    assert not dealt.holds(model({"candidate": 1}), NOW)
    assert route(model(), NOW).until == inf


@pytest.mark.parametrize(
    ("given", "configured", "name"),
    [
        (catalog("a", "b", default="b"), None, "b"),
        (catalog("a", "b", default="b"), "a", "a"),
        (catalog("a"), None, "a"),
        (catalog("a", "b"), None, None),
    ],
    ids=["the catalogue's", "the configured one", "the only one", "none"],
)
def test_the_default_model(given: Catalog, configured: str | None, name: str | None) -> None:
    assert default_name(given, configured) == name


def test_a_model_that_is_not_served_is_not_found() -> None:
    with pytest.raises(NotFound, match='no model "c"; served: "a", "b"'):
        find_model(catalog("a", "b"), "c", None)


@pytest.mark.parametrize(
    ("given", "configured"),
    [(None, None), (catalog("a"), "not-yet"), (catalog("a", "b"), None)],
    ids=["no catalogue", "default not served yet", "no default"],
)
def test_a_default_model_that_may_come_is_unavailable(given: Catalog | None, configured: str | None) -> None:
    with pytest.raises(Unavailable):
        find_model(given, None, configured)


def test_weights_that_expire_give_way_to_those_before_them() -> None:
    brief = RoutePolicy({"champion": 1.0}, expires_at=NOW, then=RoutePolicy({"candidate": 1.0}))
    one = replace(model(), routing=brief)
    assert shares(one, NOW - 0.001) == {1: 1.0}
    assert shares(one, NOW) == {2: 1.0}
    assert not route(one, NOW - 0.001).holds(one, NOW)
