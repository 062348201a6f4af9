"""What the registry wants served."""

import pytest

from sync import desired
from sync.desired import identity, parse_champions, parse_routing, safe_name, select, with_champion
from sync.settings import Settings
from tests.sync.makers import model, registered, wanted


def numbers(found: dict[str, desired.WantedModel], name: str = "loc") -> list[int]:
    return list(found[name].versions)


def test_every_alias_makes_its_version_wanted_the_champion_first() -> None:
    versions = [registered(number) for number in range(1, 6)]
    found = wanted(model(*versions, aliases={"shadow": 1, "demo": 2, "candidate": 3, "champion": 4}))
    assert numbers(found) == [4, 3, 1, 2]
    assert found["loc"].versions[4].reasons == ("alias champion",)


def test_the_tag_serve_makes_a_version_wanted() -> None:
    found = wanted(
        model(registered(1, tags={"fixgate.serve": "true"}), registered(2), aliases={"champion": 2})
    )
    assert numbers(found) == [2, 1]
    assert "champion" not in {alias for alias, number in found["loc"].aliases.items() if number == 1}


def test_the_tag_serve_must_say_true() -> None:
    assert wanted(model(registered(1, tags={"fixgate.serve": "no"}))) == {}


def test_stages_count_where_the_model_has_no_alias() -> None:
    found = wanted(
        model(
            registered(1, stage="Production"),
            registered(2, stage="Production"),
            registered(3, stage="Staging"),
        )
    )
    assert dict(found["loc"].aliases) == {"champion": 2, "candidate": 3}


def test_stages_do_not_count_where_there_is_an_alias() -> None:
    found = wanted(model(registered(1, stage="Production"), registered(2), aliases={"champion": 2}))
    assert numbers(found) == [2]


@pytest.mark.parametrize(("keep", "kept"), [(0, [4]), (1, [4, 3]), (2, [4, 3, 1])])
def test_previous_champions_stay_for_rollback(keep: int, kept: list[int]) -> None:
    versions = [registered(number) for number in range(1, 5)]
    one = model(*versions, aliases={"champion": 4}, tags={"fixgate.champions": "4,3,9,1"})
    assert numbers(wanted(one, keep=keep)) == kept


@pytest.mark.parametrize(("keep", "kept"), [(0, [4, 3]), (1, [4, 3, 1])])
def test_while_a_new_champion_is_on_its_way_the_old_one_and_those_before_it_stay(
    keep: int, kept: list[int]
) -> None:
    versions = [registered(number) for number in range(1, 5)]
    one = model(*versions, aliases={"champion": 4}, tags={"fixgate.champions": "3,1,2"})
    assert numbers(wanted(one, keep=keep)) == kept


def test_without_a_champion_nothing_is_kept_for_rollback() -> None:
    assert wanted(model(registered(1), tags={"fixgate.champions": "1"})) == {}


def test_an_alias_of_a_version_that_is_gone_wants_nothing() -> None:
    assert wanted(model(registered(1), aliases={"champion": 7})) == {}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("loc", {"loc"}),
        ("l*", {"loc", "lab"}),
        ("tag:team=rf", {"lab"}),
        ("tag:team", {"lab"}),
        ("tag:team=other", set()),
        ("LOC", set()),
    ],
)
def test_models_are_selected_by_name_pattern_or_tag(pattern: str, found: set[str]) -> None:
    models = [
        model(registered(1), aliases={"champion": 1}),
        model(registered(1, model="lab"), name="lab", aliases={"champion": 1}, tags={"team": "rf"}),
    ]
    assert set(select(models, patterns=(pattern,), keep=1)) == found


@pytest.mark.parametrize("name", ["loc", "Loc-2.1_b", "0", "a" * 200])
def test_names_that_can_be_a_folder(name: str) -> None:
    assert safe_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "a b", "é", "a\n", "a" * 201, "-x", "a\x00"]
)
def test_names_that_cannot_be_a_folder(name: str) -> None:
    assert not safe_name(name)


def test_our_own_status_tags_do_not_make_a_version_another_one() -> None:
    plain = registered(1, tags={"note": "a"})
    marked = registered(1, tags={"note": "a", "fixgate.status": "rejected", "fixgate.reason": "x"})
    assert identity(plain, {}) == identity(marked, {})


@pytest.mark.parametrize(
    "changed",
    [
        registered(1, tags={"note": "b"}),
        registered(1, tags={"note": "a", "fixgate.contract": "{}"}),
        registered(1, source="runs:/other", tags={"note": "a"}),
        registered(1, model_id="m-1", tags={"note": "a"}),
    ],
)
def test_tags_source_and_model_id_make_a_version_another_one(changed: desired.RegisteredVersion) -> None:
    assert identity(changed, {}) != identity(registered(1, tags={"note": "a"}), {})


def test_the_models_contract_makes_a_version_another_one() -> None:
    assert identity(registered(1), {"fixgate.contract": "{}"}) != identity(registered(1), {})


def test_champions_are_read_with_whatever_is_unreadable_passed_over() -> None:
    assert parse_champions("3, 1,x,,2") == (3, 1, 2)
    assert parse_champions(None) == ()


def test_a_number_that_python_would_not_read_is_passed_over() -> None:
    assert desired.parse_champions("3," + "9" * 5000 + ",1") == (3, 1)


def test_a_tag_that_is_nested_too_deeply_is_a_problem() -> None:
    (found,) = wanted(
        model(registered(1), aliases={"champion": 1}, tags={"fixgate.routing": "[" * 100_000})
    ).values()
    assert found.routing_unread
    assert found.problems


def test_a_new_champion_goes_to_the_front_once() -> None:
    assert with_champion((2, 1), 1) == (1, 2)
    assert with_champion(tuple(range(1, 11)), 11) == (11, *range(1, 10))


def test_routing_is_read_from_its_tag() -> None:
    found = wanted(
        model(
            registered(1), aliases={"champion": 1}, tags={"fixgate.routing": '{"weights": {"champion": 9}}'}
        )
    )
    policy = found["loc"].routing
    assert policy is not None
    assert policy.weights == {"champion": 9.0}


@pytest.mark.parametrize("text", ["", "[]", '{"weights": {"a": -1}}', '{"weights": {"a": 0}}', "not json"])
def test_impossible_routing_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_routing(text)


def test_unreadable_tags_of_the_model_are_problems_that_name_the_tag() -> None:
    found = wanted(
        model(
            registered(1),
            aliases={"champion": 1},
            tags={"fixgate.routing": "{", "fixgate.settings": '{"max_batch_size": 0}'},
        )
    )
    routing, settings = found["loc"].problems
    assert routing.startswith("tag fixgate.routing: ")
    assert settings.startswith("tag fixgate.settings: ")
    assert found["loc"].routing is None
    assert found["loc"].settings is None


def test_settings_are_read_from_their_tag() -> None:
    text = '{"max_batch_size": 16, "instances": 2, "threads": 1}'
    found = wanted(model(registered(1), aliases={"champion": 1}, tags={"fixgate.settings": text}))
    assert found["loc"].settings == Settings(max_batch_size=16, instances=2, threads=1, kind="cpu")
