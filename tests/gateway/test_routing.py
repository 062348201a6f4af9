"""Which version answers."""

from collections import Counter
from math import sqrt

import pytest

from contract.catalog import Catalog, RoutePolicy, ServedModel
from gateway.errors import NotFound, Unavailable
from gateway.routing import default_name, find_model, pick, pinned, shares
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


def sessions(chosen: ServedModel, count: int) -> list[int]:
    """The version of each of `count` sessions."""
    return [
        pick(chosen, pin=None, session_id=f"s{i}", draw=0.0, now=NOW).version.version for i in range(count)
    ]


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
        pick(bare, pin=None, session_id=None, draw=0.0, now=NOW)
    assert pick(bare, pin=2, session_id=None, draw=0.0, now=NOW).version.version == 2


@pytest.mark.parametrize(("pin", "number"), [(3, 3), ("candidate", 2), ("shadow", 3)])
def test_a_pin_answers_whatever_the_weights_say(pin: int | str, number: int) -> None:
    choice = pick(model({"champion": 1}), pin=pin, session_id="s", draw=0.5, now=NOW)
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
    answers = [pick(chosen, pin=None, session_id=None, draw=i / 1000, now=NOW) for i in range(1000)]
    assert Counter(answer.version.version for answer in answers) == {1: 900, 2: 100}


def test_a_draw_beyond_rounding_still_finds_a_version() -> None:
    chosen = model({"1": 1, "2": 1, "3": 1})
    just_below_one = 1 - 2**-53
    assert pick(chosen, pin=None, session_id=None, draw=just_below_one, now=NOW).version.version == 3


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
